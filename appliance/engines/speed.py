"""How long something usually takes until its first useful result, by the last times. Pure."""

from __future__ import annotations

import statistics
from collections import deque

LATELY = 40
RECENT = 5
"""So many decide whether it has become slower than it usually is."""


class Speed:
    """Of one stage, at one place. Seconds."""

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=LATELY)

    def took(self, seconds: float) -> None:
        self._took.append(seconds)

    @property
    def usual(self) -> float | None:
        """The median; of the last few, where these are slower: a device that has become hot is slow now. None where
        nothing is known yet."""
        if not self._took:
            return None
        return max(statistics.median(self._took), statistics.median(list(self._took)[-RECENT:]))

    @property
    def longest(self) -> float | None:
        """What it takes at most, as a rule (95 %)."""
        if not self._took:
            return None
        ordered = sorted(self._took)
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
