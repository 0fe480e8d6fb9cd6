"""The caller's voice, kept while a turn lasts."""

from __future__ import annotations

from collections import deque

import numpy as np

from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_MS, Pcm

PREROLL_FRAMES = 400 // FRAME_MS
"""silero needs some 100 ms to be sure; a barge-in more. What came before belongs to the turn."""


class Capture:
    """Frames in; the turn's sound out. Between turns it remembers the last 400 ms; a turn holds at most `max_s`."""

    def __init__(self, max_s: float) -> None:
        self._frames: deque[Frame] = deque(maxlen=int(max_s * 1000) // FRAME_MS)
        self._open = False

    def feed(self, frame: Frame) -> None:
        """Keep one more frame."""
        self._frames.append(frame)
        while not self._open and len(self._frames) > PREROLL_FRAMES:
            self._frames.popleft()

    def begin(self) -> None:
        """A turn began: forget nothing from now on."""
        self._open = True

    def end(self) -> None:
        """The turn is over: keep the last 400 ms only."""
        self._open = False
        while len(self._frames) > PREROLL_FRAMES:
            self._frames.popleft()

    def pcm(self) -> Pcm:
        """(n,) int16, 16 kHz mono: all that is kept."""
        return np.concatenate([f.pcm for f in self._frames]) if self._frames else np.zeros(0, np.int16)
