"""Samples from one thread to another without a lock: the event loop puts, PortAudio's callback takes.

Each counter is written by one side only, and under CPython an int is replaced as a whole.
"""

from __future__ import annotations

import numpy as np

from appliance.terms.units import Pcm


class Ring:
    """At most `samples` wait; what does not fit is dropped and counted."""

    def __init__(self, samples: int) -> None:
        self.dropped = 0
        self._pcm = np.zeros(samples, np.int16)
        self._written = 0
        self._valid_from = 0
        """What was written before is not wanted any more."""
        self._read = 0
        self._taken = 0

    @property
    def waiting(self) -> int:
        return self._written - max(self._read, self._valid_from)

    @property
    def taken(self) -> int:
        """How many samples have come out."""
        return self._taken

    def put(self, pcm: Pcm) -> None:
        """The producer: (n,) int16."""
        room = len(self._pcm) - (self._written - self._read)
        self.dropped += max(0, len(pcm) - room)
        pcm = pcm[:room]
        at = self._written % len(self._pcm)
        first = pcm[: len(self._pcm) - at]
        self._pcm[at : at + len(first)] = first
        self._pcm[: len(pcm) - len(first)] = pcm[len(first) :]
        self._written += len(pcm)

    def clear(self) -> None:
        """The producer: what waits is not to come out."""
        self._valid_from = self._written

    def take(self, out: Pcm) -> int:
        """The consumer: fill (n,) int16 with what waits, the rest with silence. How many samples it was."""
        start = max(self._read, self._valid_from)
        count = min(len(out), self._written - start)
        at = start % len(self._pcm)
        first = min(count, len(self._pcm) - at)
        out[:first] = self._pcm[at : at + first]
        out[first:count] = self._pcm[: count - first]
        out[count:] = 0
        self._read = start + count
        self._taken += count
        return count
