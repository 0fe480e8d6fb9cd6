"""Who knocks too often, at wrong names or with wrong passwords: scanners, which are banned for a while. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

WINDOW_S = 60.0
MOST_REQUESTS = 300
"""From one address in a minute; a call takes three to six."""
MOST_REFUSED = 10
BAN_S = 600.0
"""The first ban; each further one of the same address lasts twice as long."""
LONGEST_BAN_S = 86_400.0
MOST_ADDRESSES = 2000
"""Of more, those unheard for longest are forgotten."""
MOST_BANNED = 500
MOST_TOLD = 500


@dataclass(slots=True)
class _Stranger:
    requests: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_REQUESTS))
    refused: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_REFUSED))
    bans: int = 0


class Watch:
    """`banned` says until when which addresses are to be ignored; those that are `trusted` never are."""

    def __init__(self, trusted: Callable[[str], bool]) -> None:
        self._trusted = trusted
        self._strangers: OrderedDict[str, _Stranger] = OrderedDict()
        self._told: deque[tuple[str, str]] = deque(maxlen=MOST_TOLD)
        self.banned: dict[str, float] = {}

    def request(self, source: str, now: float) -> bool:
        """A request came from this address; is it to be banned now? `now`: seconds of any monotonic clock."""
        return self._count(source, now, "requests")

    def refused(self, source: str, now: float, transaction: str) -> bool:
        """We had to refuse something: an unknown name, a wrong password, a request we do not serve. A refusal that is
        sent again (nobody has acknowledged it) counts once: anybody can send one request in another's name."""
        if (source, transaction) in self._told:
            return False
        self._told.append((source, transaction))
        return self._count(source, now, "refused")

    def lift(self, now: float) -> bool:
        """Forget bans that are over; were there any?"""
        over = [source for source, until in self.banned.items() if until <= now]
        for source in over:
            del self.banned[source]
        return bool(over)

    def _count(self, source: str, now: float, what: Literal["requests", "refused"]) -> bool:
        if source in self.banned or self._trusted(source):
            return False
        stranger = self._strangers.setdefault(source, _Stranger())
        self._strangers.move_to_end(source)
        if len(self._strangers) > MOST_ADDRESSES:
            self._strangers.popitem(last=False)
        times = stranger.requests if what == "requests" else stranger.refused
        times.append(now)
        if len(times) < (times.maxlen or 0) or now - times[0] > WINDOW_S:
            return False
        if len(self.banned) >= MOST_BANNED:
            self.banned.pop(min(self.banned, key=self.banned.__getitem__))
        self.banned[source] = now + min(LONGEST_BAN_S, BAN_S * 2**stranger.bans)
        stranger.bans += 1
        times.clear()
        return True
