"""A caller who says nothing: asked once whether they are there, then told goodbye; after a goodbye, let go. Pure."""

from __future__ import annotations

from enum import Enum, auto

WAITING = 4.0
"""A caller who asked the agent to wait gets so many times as long."""


PARTS_AFTER_S = 1.5


class Step(Enum):
    ASK = auto()
    LEAVE = auto()
    PART = auto()
    """Both have said goodbye."""


class Silence:
    """`broken` by either side's speech; `kept` says what is due. `after_s` 0: nothing ever is."""

    def __init__(self, after_s: float, now: float) -> None:
        self._after_s = after_s
        self._since = now
        self._asked = False
        self._patience = 1.0
        self._parting = False

    def broken(self, now: float, *, by_caller: bool) -> None:
        """Somebody speaks, or has just spoken."""
        self._since = now
        if by_caller:
            self._asked = self._parting = False
            self._patience = 1.0

    def part(self) -> None:
        """Goodbye was said. A caller who goes on speaking stays."""
        self._parting = True

    def be_patient(self) -> None:
        """The caller asked the agent to wait."""
        self._patience = WAITING

    def kept(self, now: float) -> Step | None:
        """Nobody speaks: is it time to say something?"""
        if self._parting and now - self._since >= PARTS_AFTER_S:
            return Step.PART
        if not self._after_s or now - self._since < self._after_s * self._patience:
            return None
        self._since = now
        if self._asked:
            return Step.LEAVE
        self._asked, self._patience = True, 1.0
        return Step.ASK
