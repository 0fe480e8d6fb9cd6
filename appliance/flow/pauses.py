"""What a caller's own pauses teach during a call. Pure."""

from __future__ import annotations

from collections import deque

LATELY = 8
LONGER = 1.25
"""A pause in a turn may be so much longer than those before it."""
ENOUGH = 2
"""So many pauses before anything is learned of them."""
STEP_S = 0.15
MOST_STEPS = 3


class Pauses:
    """The pauses that turned out to lie in the middle of a turn, and the replies that came too soon."""

    def __init__(self) -> None:
        self._within: deque[float] = deque(maxlen=LATELY)
        self._cut_in = 0

    def within(self, pause_s: float) -> None:
        """The caller paused for so long, and went on."""
        self._within.append(pause_s)

    def cut_in(self) -> None:
        """A reply began, and the caller was not done."""
        self._cut_in = min(MOST_STEPS, self._cut_in + 1)

    def patience_s(self) -> float:
        """So long at least a doubtful pause should last; 0 while too little is known."""
        return sorted(self._within)[-1 - len(self._within) // 5] * LONGER if len(self._within) >= ENOUGH else 0.0

    def caution_s(self) -> float:
        """To be added to every pause."""
        return self._cut_in * STEP_S
