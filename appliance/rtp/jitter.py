"""Packets of speech in, in whatever order they arrive; pieces of speech out, in their own. Pure.

What is heard here is not played to a person but recognised, so it need not come at an even pace: a packet that is next
in order is due the moment it arrives, and a line without loss adds no delay at all. Only behind a gap does what
follows wait for what is missing, and no longer than packets were overtaken on this line lately (10 to 200 ms): then
the gap is told as lost, with the packet after it, which may carry the lost one once more (Opus's FEC). When nothing
arrives, stalls are told every 20 ms, so that a listener's time goes on; what arrives after all is still due, at once,
and no delay stays behind; what turns out to be lost was told already. A sender who has said that it is silent (DTX) is
not waited for.

Times are seconds of any monotonic clock; sequence numbers are RTP's, 16 bit (RFC 3550).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FRAME_S = 0.02
LEAST_WAIT_S = 0.01
MOST_WAIT_S = 0.2
REMEMBERED = 500
"""How long the last so many packets were behind others tells how long to wait: 10 s."""
MARGIN_S = 0.01
STALLED_S = 0.06
"""Nothing for so long: the sender is silent (DTX), or the line is."""
MOST_STALLS = 50
"""A second of stalls in a row; then silence is told no more until something arrives."""
MOST_HELD = 64
RESTART = 500
"""A sequence number so far off is another stream's: the sender has begun anew."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One that is next in order."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """One that did not come in time; `following` is the payload after it, where that is there."""

    following: bytes | None


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing has come for 20 ms more."""


@dataclass(frozen=True, slots=True)
class Silence:
    """The sender is silent for 20 ms more, as it said."""


Piece = Packet | Lost | Stall | Silence


@dataclass(slots=True)
class Counts:
    """What a line has done to its packets."""

    received: int = 0
    late: int = 0
    """Came after they had been told as lost."""
    repeated: int = 0
    lost: int = 0
    stalls: int = 0
    restarts: int = 0
    dropped: int = 0
    """Too many at once."""


@dataclass(slots=True)
class _Held:
    payload: bytes
    at: float
    silent: bool


class JitterBuffer:
    """`put` what arrives, then `take` what is due; `due` says when to take again if nothing arrives."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._held: dict[int, _Held] = {}
        """By extended sequence number, which does not wrap."""
        self._next: int | None = None
        self._newest = 0
        self._told = 0.0
        """When the last piece was told."""
        self._stalls = 0
        self._silent = False
        self._overtaken: deque[tuple[int, float]] = deque()
        """The packets that came after later ones: their number, and how long after."""
        self._passed: deque[tuple[int, float]] = deque(maxlen=MOST_HELD)
        """The last packets that came: their number, and when."""

    @property
    def wait_s(self) -> float:
        """How long a missing packet is waited for."""
        longest = max((behind_s for _, behind_s in self._overtaken), default=0.0)
        return min(MOST_WAIT_S, max(LEAST_WAIT_S, longest + MARGIN_S if longest else 0.0))

    def put(self, sequence: int, payload: bytes, now: float, *, silent: bool = False) -> None:
        """A packet has arrived. `silent`: it says that its sender falls silent after it."""
        self.counts.received += 1
        number = self._extended(sequence)
        if self._next is None or abs(number - self._next) > RESTART:
            self.counts.restarts += self._next is not None
            self._held.clear()
            self._overtaken.clear()
            self._passed.clear()
            self._next = self._newest = number = sequence
        self._measure(number, now)  # of what is too late as well: the next ones shall not be
        if number < self._next:
            self.counts.late += 1
        elif number in self._held:
            self.counts.repeated += 1
        else:
            self._held[number] = _Held(payload, now, silent)
            self._newest = max(self._newest, number)
        while len(self._held) > MOST_HELD:
            self.counts.dropped += 1
            del self._held[min(self._held)]
            self._next = min(self._held)

    def take(self, now: float) -> list[Piece]:
        """All that is due."""
        pieces: list[Piece] = []
        while (piece := self._piece(now)) is not None:
            pieces.append(piece)
        return pieces

    def due(self) -> float | None:
        """When there will be something to take though nothing arrives; None: never."""
        if self._next is None:
            return None
        if self._held:
            return self._gave_up_at()
        if self._stalls >= MOST_STALLS:
            return None
        return self._told + (FRAME_S if self._stalls or self._silent else STALLED_S)

    def _piece(self, now: float) -> Piece | None:
        if self._next is None:
            return None
        if (held := self._held.pop(self._next, None)) is not None:
            self._next += 1
            self._told, self._stalls, self._silent = now, 0, held.silent
            return Packet(held.payload)
        due = self.due()
        if due is None or now < due:
            return None
        if self._held:
            return self._lose(now)
        self._told = max(due, now - FRAME_S)
        self._stalls += 1
        if self._silent:
            return Silence()
        self.counts.stalls += 1
        return Stall()

    def _lose(self, now: float) -> Lost:
        """What is missing is lost. The stalls that were told stand for it, but not for the packet before the first that
        is there: that one may be recovered."""
        assert self._next is not None
        stalls, self._stalls, self._silent = self._stalls, 0, False
        following = None
        for _ in range(stalls + 1):
            self._next += 1
            self.counts.lost += 1
            if (following := self._held.get(self._next)) is not None:
                break
        self._told = now
        return Lost(following.payload if following is not None else None)

    def _gave_up_at(self) -> float:
        """When what is missing has been waited for long enough: since the first packet behind the gap came."""
        return min(held.at for held in self._held.values()) + self.wait_s

    def _extended(self, sequence: int) -> int:
        """The number nearest to the newest one that has this as its last 16 bits."""
        offset = (sequence - self._newest + 0x8000) % 0x10000 - 0x8000
        return self._newest + offset

    def _measure(self, number: int, now: float) -> None:
        """How long ago a later one came, where one did."""
        if number < self._newest and all(passed != number for passed, _ in self._passed):
            behind_s = max((now - at for passed, at in self._passed if passed > number), default=0.0)
            self._overtaken.append((number, behind_s))
        self._passed.append((number, now))
        while self._overtaken and self._overtaken[0][0] < number - REMEMBERED:
            self._overtaken.popleft()
