"""Who answered a call of ours: a person, or a machine that waits for its beep. Pure."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np

from appliance.terms.units import CAPTURE_RATE, FRAME_MS, FRAME_SAMPLES, Pcm, is_voiced

FRAME_S = FRAME_MS / 1000
SAID_S = 0.7
"""Who has spoken and is silent for so long waits for us."""
GREETING_S = 3.5
"""Nobody says so much to a caller they do not know; a machine does."""
NOTHING_S = 3.0
"""Nobody says anything for so long: we begin."""
BEEP_S = 0.2
BEEP_HZ = (350.0, 2500.0)
PURE = 0.7
"""So much of a beep's power is at one frequency."""
WIDTH_HZ = 60.0
RECORDING_S = 2.5
"""A machine that is silent for so long after its greeting records, beep or not."""
LONGEST_GREETING_S = 45.0


class Verdict(Enum):
    PERSON = auto()
    MACHINE = auto()
    """It greets; wait."""
    RECORDING = auto()
    """It records now."""


class Answering:
    """`feed` (320,) int16 frames of 16 kHz from the moment it was answered."""

    def __init__(self) -> None:
        self.machine = False
        self._beeped = False
        self._heard_s = self._spoken_s = self._silent_s = self._tone_s = 0.0
        self._pitch = 0.0

    def feed(self, pcm: Pcm) -> Verdict | None:
        """None: not yet clear. `MACHINE` is told once, `RECORDING` or `PERSON` ends it."""
        self._heard_s += FRAME_S
        voiced = is_voiced(pcm)
        pitch = _pitch(pcm) if voiced else 0.0
        same = pitch and abs(pitch - self._pitch) < WIDTH_HZ
        self._tone_s, self._pitch = (self._tone_s + FRAME_S if same else 0.0), pitch
        beeped = self._tone_s >= BEEP_S
        self._spoken_s += FRAME_S if voiced else 0.0
        self._silent_s = 0.0 if voiced else self._silent_s + FRAME_S
        if beeped:
            self.machine = self._beeped = True
            return None  # it records once the tone is over
        if self.machine:
            over = self._silent_s >= RECORDING_S or (self._beeped and not voiced)
            return Verdict.RECORDING if over or self._heard_s > LONGEST_GREETING_S else None
        if self._spoken_s >= GREETING_S:
            self.machine = True
            return Verdict.MACHINE
        waits = self._silent_s >= (SAID_S if self._spoken_s else NOTHING_S)
        return Verdict.PERSON if waits else None


def _pitch(pcm: Pcm) -> float:
    """The frequency of a pure tone in Hz; 0 for anything else."""
    spectrum = np.square(np.abs(np.fft.rfft(pcm * np.hanning(FRAME_SAMPLES))))
    at = np.fft.rfftfreq(FRAME_SAMPLES, 1 / CAPTURE_RATE)
    best = int(np.argmax(spectrum))
    near = np.abs(at - at[best]) <= 2 * CAPTURE_RATE / FRAME_SAMPLES
    pure = spectrum[near].sum() >= PURE * spectrum.sum() and BEEP_HZ[0] <= at[best] <= BEEP_HZ[1]
    return float(at[best]) if pure else 0.0
