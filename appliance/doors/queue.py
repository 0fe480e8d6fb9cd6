"""The speech a line still has to play: what every door keeps between playout and its own clock."""

from __future__ import annotations

import numpy as np

from appliance.terms.units import Pcm


class SpeechQueue:
    """(n,) int16 at `rate` in, fixed frames out, silence where there is none. Playout bounds it by the line's lead."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.played_samples = 0
        self._pcm = np.zeros(0, np.int16)

    @property
    def queued_ms(self) -> float:
        return len(self._pcm) * 1000.0 / self.rate

    def put(self, pcm: Pcm) -> None:
        self._pcm = np.concatenate([self._pcm, pcm])

    def take(self, samples: int) -> Pcm:
        """Exactly `samples`, padded with silence, which does not count as played."""
        out, self._pcm = self._pcm[:samples], self._pcm[samples:]
        self.played_samples += len(out)
        if len(out) == samples:
            return out
        padded = np.zeros(samples, np.int16)
        padded[: len(out)] = out
        return padded

    def clear(self) -> None:
        self._pcm = np.zeros(0, np.int16)
