"""A phone without models: the real SIP worker and door, with whatever agent a measurement or test wants.

As a program, `python -m appliance.bench.switchboard PORT CALLS`, it plays an announcement to everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from appliance.doors.sip.door import SipDoor
from appliance.doors.sip.options import options
from appliance.terms.clock import SystemClock
from appliance.terms.config import SipConfig
from appliance.terms.errors import Busy
from appliance.terms.events import Event
from appliance.terms.line import Line
from appliance.terms.units import FRAME_MS, Pcm
from appliance.workers.supervisor import Worker

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
TRUSTING = SipConfig(enabled=True, trusted=[LOOPBACK])
"""A phone that bans nobody on this computer."""
READY = "the switchboard is ready"


@dataclass
class Phone:
    """A phone that runs, at `uri`; its lines and events so far."""

    port: int
    door: SipDoor
    worker: Worker
    lines: list[Line] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"sip:desk@{LOOPBACK}:{self.port}"

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, done: Callable[[], object], within_s: float = 10.0) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not done():  # noqa: ASYNC110 - what other processes do is told by no event of ours
                await asyncio.sleep(FRAME_MS / 1000)


@contextlib.asynccontextmanager
async def phone(
    config: SipConfig, agent: Callable[[Line], Awaitable[None]], *, most: int = 4, port: int = 0
) -> AsyncIterator[Phone]:
    """With `config`, on a free port unless one is given; `most` calls at once."""
    port = port or free_port()
    config = replace(config, listen=f"{LOOPBACK}:{port}")
    events: list[Event] = []
    lines: list[Line] = []
    worker = Worker("sip", "appliance.doors.sip.stack:SipStack", options(config, most), emit=events.append)
    taken = 0

    def admit() -> Callable[[], None]:
        nonlocal taken
        if taken >= most:
            raise Busy("All lines are taken.")
        taken += 1
        return release

    def release() -> None:
        nonlocal taken
        taken -= 1

    async def answer(line: Line) -> None:
        lines.append(line)
        await agent(line)

    async def speak(line: Line, words: str) -> None:
        line.play(tone(0.5, line.rate_out))
        await asyncio.sleep(0.6)

    door = SipDoor(worker, config, answer=answer, admit=admit, speak=speak, clock=SystemClock(), emit=events.append)
    try:
        await door.start()
        yield Phone(port=port, door=door, worker=worker, lines=lines, events=events)
    finally:
        await door.close()


async def listen(line: Line) -> None:
    """An agent that says nothing."""
    async for _ in line.frames():
        pass


async def announce(line: Line) -> None:
    """An agent that talks without end and hears nothing."""
    listening = asyncio.create_task(listen(line))
    while not listening.done():
        while line.queued_ms < line.lead_ms:
            line.play(tone(FRAME_MS / 1000, line.rate_out))
        await asyncio.sleep(FRAME_MS / 2000)


def tone(seconds: float, rate: int, hertz: float = 500.0) -> Pcm:
    """(n,) int16 at a level that counts as voiced."""
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def free_port() -> int:
    """One that is free for UDP and TCP, as the next one is."""
    while True:
        with contextlib.ExitStack() as stack:
            probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
            try:
                for number in (port, port + 1):
                    stack.enter_context(socket.socket()).bind((LOOPBACK, number))
            except (OSError, OverflowError):
                continue
            return port


async def _announce(port: int, calls: int) -> None:
    async with phone(TRUSTING, announce, most=calls, port=port):
        print(READY, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_announce(int(sys.argv[1]), int(sys.argv[2])))
