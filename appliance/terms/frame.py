"""One frame of captured sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .units import FRAME_SAMPLES, Pcm


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """20 ms of a caller's voice."""

    pcm: Pcm
    """(320,) int16, 16 kHz mono."""
    at: float
    """When its last sample arrived, in seconds of the monotonic clock."""
    made_up: bool = False
    """Nothing had come, and time goes on: what a person would hear is less even without it."""


def silence(at: float) -> Frame:
    """A frame in which nobody is heard."""
    return Frame(pcm=np.zeros(FRAME_SAMPLES, np.int16), at=at, made_up=True)
