"""Tokens with which a caller whose line broke comes back to the same call."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

TOKEN_BYTES = 24
MOST = 1000


@dataclass(slots=True)
class _Ticket:
    call: str
    until: float | None = None
    """None while the call's line stands."""


class Tickets:
    """Each is good once. They are kept by their digest, so that how long a look-up takes tells nothing of them.

    Times are seconds of any monotonic clock. Of more than 1000, the oldest is good for nothing any more.
    """

    def __init__(self, good_for_s: float) -> None:
        self._good_for_s = good_for_s
        self._tickets: dict[bytes, _Ticket] = {}

    def issue(self, call: str) -> str:
        """A token for a call whose line stands."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tickets[_digest(token)] = _Ticket(call)
        if len(self._tickets) > MOST:
            del self._tickets[next(iter(self._tickets))]
        return token

    def redeem(self, token: str, now: float) -> str | None:
        """The call, or None for a token that is unknown, used or too old."""
        ticket = self._tickets.pop(_digest(token), None)
        if ticket is None or (ticket.until is not None and now > ticket.until):
            return None
        return ticket.call

    def ended(self, token: str, now: float, *, coming_back: bool) -> None:
        """The line that the token was given to is gone: it is good for a while yet, or for nothing."""
        ticket = self._tickets.get(_digest(token))
        if ticket is not None and coming_back:
            ticket.until = now + self._good_for_s
        elif ticket is not None:
            del self._tickets[_digest(token)]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
