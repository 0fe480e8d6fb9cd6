"""Who stands in front of the kiosk, as a line: frames of the room on one side, the loudspeaker on the other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from appliance.terms.events import Event
from appliance.terms.frame import Frame
from appliance.terms.line import COMING_BACK
from appliance.terms.units import Pcm

MOST_HEARD = 100
"""Two seconds that wait to be heard, what was said before we noticed counted in; more, and the oldest goes."""


class Out(Protocol):
    """The loudspeaker, as a line needs it."""

    rate: int

    def play(self, pcm: Pcm) -> None: ...
    def flush(self) -> None: ...
    @property
    def queued_ms(self) -> float: ...
    @property
    def played_samples(self) -> int: ...


class KioskLine:
    """One conversation, from a visitor's coming to their going."""

    door = "kiosk"
    lead_ms = 60.0
    caller = ""
    opening = ""
    desk = ""
    held = False
    network = None

    def __init__(self, out: Out, show: Callable[[str, Event], None], before: Iterable[Frame] = ()) -> None:
        """`show` is told this call's name and its events; `before`: what was said before it was noticed."""
        self.call = secrets.token_urlsafe(16)
        self.ended = ""
        self.rate_out = out.rate
        self._out = out
        self._show = show
        self._heard: asyncio.Queue[Frame | None] = asyncio.Queue(MOST_HEARD)
        for frame in before:
            self.hear(frame)

    async def frames(self) -> AsyncIterator[Frame]:
        while (frame := await self._heard.get()) is not None:
            yield frame

    def hear(self, frame: Frame) -> None:
        """20 ms of the room."""
        if not self.ended:
            self._put(frame)

    def play(self, pcm: Pcm) -> None:
        self._out.play(pcm)

    def flush(self) -> None:
        self._out.flush()

    @property
    def queued_ms(self) -> float:
        return self._out.queued_ms

    @property
    def played_samples(self) -> int:
        return self._out.played_samples

    def tell(self, event: Event) -> None:
        self._show(self.call, event)

    def hang_up(self, reason: str) -> None:
        """Whoever stood here is not waited for: the next one is somebody else."""
        assert reason not in COMING_BACK
        if not self.ended:
            self.ended = reason
            self._put(None)

    def _put(self, frame: Frame | None) -> None:
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(frame)
