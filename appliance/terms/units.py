"""Rates, frame sizes and levels that everybody shares.

Levels are dB relative to full scale: a full-scale square wave is 0 dBFS.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
"""(n,) int16 mono. Its rate is said by whoever hands it over; capture is always 16 kHz."""

CAPTURE_RATE = 16_000
FRAME_MS = 20
FRAME_SAMPLES = CAPTURE_RATE * FRAME_MS // 1000

VOICED_DBFS = -42.0
"""A 20 ms frame above this counts as voiced wherever we measure (the design's definition)."""


def dbfs(pcm: npt.NDArray[Any]) -> float:
    """RMS level of (n,) int16 samples in dBFS; −inf for silence or nothing."""
    if pcm.size == 0:
        return -math.inf
    power = float(np.mean(np.square(pcm.astype(np.float32) / 32768.0)))
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def is_voiced(pcm: npt.NDArray[Any]) -> bool:
    """Is this 20 ms frame of (n,) int16 above −42 dBFS?"""
    return dbfs(pcm) > VOICED_DBFS


def ms(seconds: float) -> float:
    """Seconds as milliseconds, to a tenth."""
    return round(seconds * 1000.0, 1)
