"""Who goes first where all want the same engine: the visitor in front of the box, then callers, and last of all what
is only done in advance.

Whose work a request is follows from the task that makes it: what a visitor's conversation starts, inherits it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from appliance.terms.errors import EngineFull

FIRST, USUAL, IN_ADVANCE = 1, 0, -1
"""Priorities of requests, as a worker's mailbox takes them."""
_for_visitor: ContextVar[bool] = ContextVar("for_visitor", default=False)


@contextmanager
def for_visitor() -> Iterator[None]:
    """What is asked of the engines in here, and by tasks begun in here, is for the visitor."""
    token = _for_visitor.set(True)
    try:
        yield
    finally:
        _for_visitor.reset(token)


class Precedence:
    """Of one engine. `slowed`: callers' requests that came while it worked for the visitor, and waited; `refused`: what
    would have been done for them in advance then, and was not."""

    def __init__(self) -> None:
        self.slowed = self.refused = 0
        self.expected = False
        """The visitor is speaking, or waits for an answer: their next request should find nothing begun in advance."""
        self._visitors = 0

    def about(self) -> dict[str, int]:
        return {"slowed": self.slowed, "refused": self.refused}

    @contextmanager
    def request(self, *, in_advance: bool = False) -> Iterator[int]:
        """Its priority, while it lasts: the same for all of a conversation, whose requests must keep their order.
        Raises EngineFull for what is refused."""
        if _for_visitor.get():
            self._visitors += 1
            try:
                yield FIRST
            finally:
                self._visitors -= 1
            return
        if in_advance and (self._visitors or self.expected):
            self.refused += 1
            raise EngineFull("the visitor at the kiosk goes first")
        self.slowed += bool(self._visitors)
        yield USUAL
