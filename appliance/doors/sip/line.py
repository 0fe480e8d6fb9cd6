"""One phone call as a line: its sound comes and goes through the SIP worker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal, Protocol

from appliance.dsp.dtmf import ToneKeys
from appliance.terms.clock import Clock
from appliance.terms.events import Event, Network
from appliance.terms.frame import Frame, silence
from appliance.terms.units import FRAME_MS, FRAME_SAMPLES, Pcm

from .quality import Quality

RATE_OUT = 24_000
"""What the SIP worker takes; it resamples to the rate that the call has."""
MAX_HEARD = 50
"""A second of sound that waits to be heard; more, and the oldest gives way."""
Holder = Literal["peer", "owner", "transfer"]


class Note(Protocol):
    """Tell the worker something that it does not answer."""

    def __call__(self, op: str, arguments: Mapping[str, Any], data: bytes = b"") -> None: ...


class SipLine:
    """A caller on the phone. Its frames end when one of both hangs up.

    While the other side holds us, nothing of what comes is heard (it would be the PBX's music), and time goes on.
    """

    door = "sip"
    rate_out = RATE_OUT
    lead_ms = 120.0
    """The worker tells every 20 ms how much was played, and asks the main process for nothing."""

    def __init__(self, leg: int, note: Note, clock: Clock, *, caller: str, opening: str = "", desk: str = "") -> None:
        """`leg`: the worker's number of the call; `opening`: what the agent says first, where it is no greeting;
        `desk`: the account that was called."""
        self.call = secrets.token_urlsafe(16)
        self.ended = ""
        self.network: Network | None = None
        self.caller = caller
        self.opening = opening
        self.desk = desk
        self._holding: set[Holder] = set()
        self.leg = leg
        self.dropped = 0
        self.quality = Quality()
        self.on_key: Callable[[str], None] | None = None
        """Is told keys that come as tones in the sound; None: nobody listens for them."""
        self._tone_keys = ToneKeys()
        self._note = note
        self._clock = clock
        self._heard: asyncio.Queue[Frame | None] = asyncio.Queue(MAX_HEARD)
        self._given = self._got = self._left = self._played = self._flushes = 0
        """In samples: handed to the worker; of that it has got so much, of that so much waits there; played."""
        self._time: asyncio.Task[None] | None = None

    async def frames(self) -> AsyncIterator[Frame]:
        while (frame := await self._heard.get()) is not None:
            yield frame

    def play(self, pcm: Pcm) -> None:
        self._given += len(pcm)
        totals = {"call": self.leg, "given": self._given, "flushes": self._flushes}
        self._note("play", totals, pcm.astype("<i2").tobytes())

    def flush(self) -> None:
        self._flushes += 1
        self._got, self._left = self._given, 0
        self._note("flush", {"call": self.leg, "flushes": self._flushes})

    @property
    def queued_ms(self) -> float:
        return (self._given - self._got + self._left) * 1000.0 / RATE_OUT

    @property
    def played_samples(self) -> int:
        return self._played

    def tell(self, event: Event) -> None:
        """A phone has no screen."""

    def hang_up(self, reason: str) -> None:
        if not self.ended:
            self._hold_time(on=False)
            self._put(None)
            self.ended = reason

    def sound(self, pcm: Pcm, account: Mapping[str, Any]) -> None:
        """The worker has something: (n,) int16 at 16 kHz in whole frames, and its account of ours (`leg.Account`)."""
        self._played = int(account["played"])
        if account["flushes"] == self._flushes:  # else it has not heard of the last one yet
            self._got, self._left = int(account["got"]), int(account["left"])
        now = self._clock.now()
        if not self.held:
            for frame in pcm.reshape(-1, FRAME_SAMPLES):
                self._put(Frame(pcm=frame, at=now))
                if self.on_key is not None and (key := self._tone_keys.feed(frame)):
                    self.on_key(key)

    @property
    def held(self) -> bool:
        """Somebody put the call on hold."""
        return bool(self._holding)

    def hold(self, who: Holder, *, on: bool) -> None:
        """The other side (`peer`), the owner, or a transfer under way holds the call, or does so no longer."""
        (self._holding.add if on else self._holding.discard)(who)
        self._hold_time(on=self.held and not self.ended)

    def _hold_time(self, *, on: bool) -> None:
        if self._time is not None:
            self._time.cancel()
            self._time = None
        if on:
            self._time = asyncio.create_task(self._pass_time())

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(FRAME_MS / 1000)
            self._put(silence(self._clock.now()))

    def _put(self, frame: Frame | None) -> None:
        if self.ended:
            return
        if self._heard.full():
            self._heard.get_nowait()
            self.dropped += 1
        self._heard.put_nowait(frame)
