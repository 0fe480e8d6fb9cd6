"""Has the questions of `businesses/` spoken, from the root of the checkout:

    python -m benchmarks.make_questions KOKORO.onnx VOICES [BUSINESS …]

Each question is said once, by one of seven voices in turn, and kept as `BUSINESS/spoken/WORDS.ogg` (Opus, 24 kbit/s, as
a caller's browser sends it): `frontdesk eval --spoken` plays them. What is there already is left alone. What it needs,
and whose voices they are, is told in `make_utterances.py`.
"""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path

import numpy as np

from appliance.bench.business import load, sound_of

from .make_utterances import EDGE_S, PEAK_DB, RATE, Sound, Voices, room, trimmed

BUSINESSES = Path(__file__).parent / "businesses"
VOICES = ("af_sarah", "am_adam", "bf_alice", "bm_daniel", "heart", "af_sky", "am_echo")
RATE_OPUS = 48_000
BITS_S = 24_000


def question(text: str, voice: str, voices: Voices) -> Sound:
    sound = trimmed(voices.say(text, voice))
    sound = sound / np.abs(sound).max() * 10 ** (PEAK_DB / 20)
    return np.concatenate([room(EDGE_S), sound, room(EDGE_S)])


def write(path: Path, sound: Sound) -> None:
    """(n,) float32 at 16 kHz, as Opus."""
    import av
    import soxr

    wide = soxr.resample(sound, RATE, RATE_OPUS, quality="VHQ").astype(np.float32)
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_OPUS, layout="mono")
        stream.bit_rate = BITS_S
        frame = av.AudioFrame.from_ndarray(wide[None], format="flt", layout="mono")
        frame.sample_rate = RATE_OPUS
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def main() -> None:
    kokoro, folder, *names = sys.argv[1:]
    voices = Voices(Path(kokoro), Path(folder))
    for business in sorted(BUSINESSES.iterdir()):
        if names and business.name not in names:
            continue
        for asked, voice in zip(load(business).questions, cycle(VOICES), strict=False):
            path = sound_of(business, asked.ask)
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                write(path, question(asked.ask, voice, voices))
                print(f"{path.relative_to(BUSINESSES)}: {voice}", flush=True)


if __name__ == "__main__":
    main()
