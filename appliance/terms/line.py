"""A line: what a door makes of a caller, and all that a conversation knows of the door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from .events import Event, Network
from .frame import Frame
from .units import Pcm

COMING_BACK = ("lost", "moved")
"""Ends of a line after which its caller may go on with the call over another one, for so long:"""
COME_BACK_WITHIN_S = 120.0


class Line(Protocol):
    """One caller. The door behind it owns the clock: it takes queued samples at its own pace.

    `play` never blocks; whoever plays keeps `queued_ms` near `lead_ms` and holds the rest, so that `flush` silences
    the agent at once and `played_samples` says what was heard.
    """

    call: str
    """Id of the call, unguessable."""
    door: str
    """`webrtc`, `sip`, `file`, …"""
    caller: str
    """Who is at the other end, as far as the door knows; empty where it does not."""
    opening: str
    """What the agent says first, instead of its greeting; empty: the greeting."""
    desk: str
    """Which of the device's desks answers; empty: the usual one."""

    @property
    def held(self) -> bool:
        """The call is on hold: nobody hears us."""

    ended: str
    """Why it ended: `hangup`, `lost`, `moved` (its caller goes on over another line), `transferred`, `stopped`; empty
    until then."""
    rate_out: int
    """The rate in Hz that `play` takes."""
    network: Network | None
    """The line's present quality, where the door can tell."""
    lead_ms: float
    """How much queued speech the door needs to play without gaps."""

    def frames(self) -> AsyncIterator[Frame]:
        """What the caller says, 20 ms at a time; ends when the caller is gone."""

    def play(self, pcm: Pcm) -> None:
        """Queue (n,) int16 mono at `rate_out`."""

    def flush(self) -> None:
        """Drop what is queued and not yet played."""

    @property
    def queued_ms(self) -> float:
        """How much is queued and not yet played."""

    @property
    def played_samples(self) -> int:
        """Samples at `rate_out` of queued speech that left for the caller since the call began."""

    def tell(self, event: Event) -> None:
        """Show an event of this call to its caller (captions, state), where the door has a screen."""

    def hang_up(self, reason: str) -> None:
        """End the call: its frames end, and `ended` says why. Calling it again does nothing."""
