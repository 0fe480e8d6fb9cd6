"""Keys as tones in the sound (ITU-T Q.23, Q.24), for lines that do not send them as events. Pure."""

from __future__ import annotations

import numpy as np

from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm

LOW = (697.0, 770.0, 852.0, 941.0)
HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")
LEAST_DBFS = -36.0
TWIST_DB = 9.0
"""So much may one of both tones be softer than the other."""
OTHERS_DB = 10.0
"""So far below its own tone must the others of a group be; a voice has them all."""
PURITY = 0.8
"""So much of the whole power must be in the two tones."""
FRAMES = 2
"""A key is heard once it has lasted for so many frames; 40 ms is what Q.24 asks for."""


class ToneKeys:
    """`feed` (320,) int16 frames of 16 kHz, 20 ms each; it gives each key once, as it is pressed."""

    def __init__(self) -> None:
        at = np.arange(FRAME_SAMPLES) / CAPTURE_RATE
        window = np.hanning(FRAME_SAMPLES)
        tones = np.array([*LOW, *HIGH])[:, None]
        self._probes = np.exp(-2j * np.pi * tones * at) * window * 2 / window.sum()
        self._seen = ""
        self._count = 0

    def feed(self, pcm: Pcm) -> str:
        """The key that was pressed now, or nothing."""
        key = self._key(pcm)
        self._count = self._count + 1 if key == self._seen else 1
        self._seen = key
        return key if key and self._count == FRAMES else ""

    def _key(self, pcm: Pcm) -> str:
        sound = pcm / 32768.0
        power = float(np.mean(sound * sound))
        if power < 10 ** (LEAST_DBFS / 10):
            return ""
        levels = np.square(np.abs(self._probes @ sound)) / 2
        low, high = levels[: len(LOW)], levels[len(LOW) :]
        row, column = int(np.argmax(low)), int(np.argmax(high))
        strong, soft = max(low[row], high[column]), min(low[row], high[column])
        if strong > soft * 10 ** (TWIST_DB / 10) or low[row] + high[column] < PURITY * power:
            return ""
        for group, best in ((low, row), (high, column)):
            others = np.delete(group, best)
            if others.max() > group[best] * 10 ** (-OTHERS_DB / 10):
                return ""
        return KEYS[row][column]
