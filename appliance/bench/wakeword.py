"""A wake word, said forty times in a room, and half an hour of speech in which it is not said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from appliance.doors.kiosk.sound import Heard
from appliance.doors.kiosk.wake import Word
from appliance.dsp import soundfile
from appliance.engines.contracts import Recogniser
from appliance.terms.errors import BadInput
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm

from .room import at_level

NAME = "hey_jarvis"
PAUSE_S = 1.5
RT60_S = 0.25
DIRECT_DB = 6.0
"""A visitor speaks towards the microphone: the direct sound against the reverberation."""
HISS_DBFS = -62.0
FRAME_S = FRAME_SAMPLES / CAPTURE_RATE


async def measure(benchmarks: Path, level_dbfs: float, recogniser: Recogniser) -> dict[str, Any]:
    """`said` and `heard` of the calls, by voice in `missed`; `false` alarms in `speech_min` minutes of other speech.
    `asked`: how often the recogniser had to tell, in calls and in other speech."""
    ear = _Ear(level_dbfs, recogniser)
    calls = sorted((benchmarks / "kiosk" / "wake").glob("*.ogg"))
    missed = [path.stem for path in calls if not await ear.hear(soundfile.read(path))]
    began, asked = ear.seconds, ear.asked
    alarms = [path.stem for path in speech(benchmarks) if await _alarms(ear, path)]
    return {
        "word": NAME,
        "said": len(calls),
        "heard": len(calls) - len(missed),
        "missed": missed,
        "false": len(alarms),
        "alarms": alarms,
        "asked": [asked, ear.asked - asked],
        "speech_min": round((ear.seconds - began) / 60, 1),
    }


def speech(benchmarks: Path) -> Iterator[Path]:
    """Everything that is said in the benchmarks, and human speech where it was fetched."""
    for pattern in ("businesses/*/spoken/*.ogg", "utterances/**/*.flac", "data/**/*.wav", "data/**/*.g722"):
        yield from sorted(benchmarks.glob(pattern))


async def _alarms(ear: _Ear, path: Path) -> bool:
    try:
        return await ear.hear(soundfile.read(path))
    except BadInput:  # an empty recording
        return False


class _Ear:
    """The kiosk's microphone, and what waits for the word."""

    def __init__(self, level_dbfs: float, recogniser: Recogniser) -> None:
        self.seconds = 0.0
        self.asked = 0
        self._level_dbfs = level_dbfs
        self._recogniser = recogniser
        self._word = Word(NAME, self._recognise)
        self._random = np.random.default_rng(5)
        t = np.arange(round(RT60_S * CAPTURE_RATE)) / CAPTURE_RATE
        tail = self._random.standard_normal(len(t)) * 10 ** (-3 * t / RT60_S)
        tail *= 10 ** (-DIRECT_DB / 20) / np.linalg.norm(tail)
        self._response = np.concatenate([[1.0], tail])

    async def _recognise(self, pcm: Pcm) -> str:
        self.asked += 1
        return (await self._recogniser.transcribe(pcm)).text

    async def hear(self, pcm: Pcm) -> bool:
        """(n,) int16, 16 kHz, and a pause. Was it the word?"""
        said = at_level(np.concatenate([pcm, np.zeros(round(PAUSE_S * CAPTURE_RATE), np.int16)]), self._level_dbfs)
        size = len(said) + len(self._response)
        wet = np.fft.irfft(np.fft.rfft(said, size) * np.fft.rfft(self._response, size), size)[: len(said)]
        hiss = self._random.standard_normal(len(said)) * 32767 * 10 ** (HISS_DBFS / 20)
        heard, found = np.clip(wet + hiss, -32768, 32767).astype(np.int16), False
        for start in range(0, len(heard) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            frame = heard[start : start + FRAME_SAMPLES]
            self.seconds += FRAME_S
            found = self._word.feed(Heard(pcm=frame, raw=frame, played=frame, at=self.seconds)) or found
            await self._word.settled()  # no time passes meanwhile: it would be 0.1 s
        return found
