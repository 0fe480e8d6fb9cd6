"""Whether a provider is worth asking: after failures it is left alone for a while, then tried with one request. Pure.

    state      a request succeeds   … fails                                    time passes
    ────────────────────────────────────────────────────────────────────────────────────────────────
    closed     closed               open, after 2 in a row; at once where
                                    nobody was reached, or the key is wrong
    open       –                    –                                          half-open, after 5 s, 10, 20 … 300
    half-open  closed               open, for twice as long                    –

Half-open, one request may go; while it is under way, no other.
"""

from __future__ import annotations

from enum import StrEnum

FAILURES = 2
FIRST_S, LONGEST_S = 5.0, 300.0
PROBE_WITHIN_S = 20.0
"""A probe of which nothing was heard for so long counts no more."""


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """One provider's. `now`: seconds of a monotonic clock."""

    def __init__(self) -> None:
        self.why = ""
        """The last failure."""
        self._failures = 0
        self._opened: float | None = None
        self._wait_s = FIRST_S
        self._probed: float | None = None

    def state(self, now: float) -> State:
        if self._opened is None:
            return State.CLOSED
        return State.OPEN if now - self._opened < self._wait_s else State.HALF_OPEN

    def usable(self, now: float) -> bool:
        state = self.state(now)
        probing = self._probed is not None and now - self._probed < PROBE_WITHIN_S
        return state is State.CLOSED or (state is State.HALF_OPEN and not probing)

    def asked(self, now: float) -> None:
        """A request goes to it."""
        if self.state(now) is State.HALF_OPEN:
            self._probed = now

    def succeeded(self) -> bool:
        """Has it come back by this?"""
        back = self._opened is not None
        self._failures, self._opened, self._probed, self._wait_s = 0, None, None, FIRST_S
        return back

    def failed(self, now: float, why: str, *, at_once: bool = False) -> bool:
        """Is it given up for a while by this?"""
        self.why = why
        was, self._probed = self.state(now), None
        self._failures += 1
        if was is State.HALF_OPEN:
            self._opened, self._wait_s = now, min(2 * self._wait_s, LONGEST_S)
            return False
        if was is State.CLOSED and (at_once or self._failures >= FAILURES):
            self._opened = now
            return True
        return False
