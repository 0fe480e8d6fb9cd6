"""The main process's side of the SIP worker: its requests, what it tells, and its calls as legs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from appliance.terms.clock import Clock
from appliance.terms.errors import EngineError
from appliance.workers.supervisor import Worker

from .address import Address
from .line import SipLine

log = logging.getLogger(__name__)

READY_WITHIN_S = 20.0
FOREVER_S = 1e9
ASK_WITHIN_S = 5.0
AGAIN_S = 0.05
HANG_UPS = 3
"""So often it is tried: a worker with a full queue refuses that too."""
WORKER_DIED = "rtp stream error: the phone's process died"


class Leg:
    """One call as the worker tells of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.line: SipLine | None = None
        self.established = asyncio.Event()
        self.closed = asyncio.Event()
        self.unwanted = asyncio.Event()
        """Whoever had us place it has changed their mind."""
        self.why = ""
        """How it was closed, in baresip's words: `486 Busy Here`, `Connection reset by peer`, …"""
        self.claimed = False
        """Somebody of ours knows it; a call that we place may be over before its number has come back."""
        self.bridged: Leg | None = None
        """It goes on with that one, and without a conversation."""


class Exchange:
    """`tell` is given all that is not done here: the leg (None: of no call) and what happened."""

    def __init__(self, worker: Worker, clock: Clock, tell: Callable[[Leg | None, Mapping[str, Any]], None]) -> None:
        self.legs: dict[int, Leg] = {}
        self._worker = worker
        self._clock = clock
        self._tell = tell
        self._attending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises EngineDown."""
        await self._worker.start()
        await self._worker.wait_ready(READY_WITHIN_S)
        self._attending = asyncio.create_task(self._attend(), name="sip")
        self._attending.add_done_callback(_report)

    async def stop(self) -> None:
        if self._attending is not None:
            self._attending.cancel()
        await self._worker.stop()

    def line(self, number: int = 0, *, caller: str, opening: str = "", desk: str = "") -> SipLine:
        return SipLine(number, self._worker.note, self._clock, caller=caller, opening=opening, desk=desk)

    async def ask(self, op: str, within_s: float = ASK_WITHIN_S, /, **arguments: Any) -> Mapping[str, Any]:
        """Let the worker do something. Raises EngineError."""
        answer: Mapping[str, Any] = {}
        async for part in self._worker.stream(op, arguments, deadline_s=within_s):
            answer = part.meta
        return answer

    async def dial(self, line: SipLine, account: str, to: Address) -> Leg:
        """Begin a call whose sound is the line's. Raises EngineError."""
        line.leg = int((await self.ask("dial", account=account, to=str(to)))["call"])
        leg = self.legs.setdefault(line.leg, Leg(line.leg))
        leg.claimed = True
        if leg.closed.is_set():
            del self.legs[line.leg]
        return leg

    async def hang_up(self, leg: Leg) -> None:
        """End it, if it has not ended."""
        for _ in range(HANG_UPS):
            if leg.number and not leg.closed.is_set():
                with contextlib.suppress(EngineError):
                    await self.ask("hang_up", call=leg.number)
                    return

    async def _attend(self) -> None:
        while True:
            try:
                async for part in self._worker.stream("attend", {}, deadline_s=FOREVER_S):
                    self._hear(part.meta, part.data)
            except EngineError as error:
                log.warning("the phone: %s", error)
            for leg in tuple(self.legs.values()):
                self._closed(leg, WORKER_DIED)
            self.legs.clear()
            self._tell(None, {"event": "lost"})
            await asyncio.sleep(AGAIN_S)

    def _hear(self, told: Mapping[str, Any], data: bytes) -> None:
        number = int(told.get("call", 0))
        if not number:
            self._tell(None, told)
            return
        leg = self.legs.get(number)
        match told["event"]:
            case "sound":
                if leg is not None and leg.line is not None:
                    leg.line.sound(np.frombuffer(data, "<i2"), told)
                return
            case _ if leg is None:
                leg = self.legs[number] = Leg(number)
        match told["event"]:
            case "established":
                leg.established.set()
            case "closed":
                self._closed(leg, str(told["why"]))
            case _:
                self._tell(leg, told)

    def _closed(self, leg: Leg, why: str) -> None:
        leg.why = why
        leg.closed.set()
        if leg.claimed:
            self.legs.pop(leg.number, None)
        if leg.line is not None:
            leg.line.hang_up(_reason(why))


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the phone: a bug of ours; it takes no calls any more", exc_info=error)


def _reason(why: str) -> str:
    """Why a line ended, from how its call was closed."""
    if "transfered" in why:  # baresip's own spelling
        return "transferred"
    return "lost" if "rtp" in why.lower() or "timed out" in why.lower() else "hangup"


async def happens(wanted: asyncio.Event, *others: asyncio.Event, within_s: float) -> bool:
    """Does the first of these events happen, before any other does, within so long?"""
    waits = [asyncio.create_task(event.wait()) for event in (wanted, *others)]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return wanted.is_set() and not any(event.is_set() for event in others)
