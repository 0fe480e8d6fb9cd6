"""A phone without models: the real SIP worker and door, an agent that repeats what it hears, and test phones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pytest

from appliance.bench.telephone import Telephone
from appliance.doors.sip.door import SipDoor
from appliance.doors.sip.options import options
from appliance.dsp.resample import Resampler
from appliance.terms.clock import SystemClock
from appliance.terms.config import SipConfig
from appliance.terms.errors import Busy
from appliance.terms.events import Event
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, Pcm
from appliance.workers.supervisor import Worker

T = TypeVar("T")


@dataclass
class Phone:
    """A phone under test, at `sip:…@127.0.0.1:port`."""

    port: int
    door: SipDoor
    worker: Worker
    lines: list[Line] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    agent: Callable[[Line], object] | None = None
    most: int = 4

    @property
    def uri(self) -> str:
        return f"sip:desk@127.0.0.1:{self.port}"

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, done: Callable[[], object], within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while not done():  # noqa: ASYNC110 - what other processes do is told by no event of ours
                await asyncio.sleep(0.02)


async def listen(line: Line) -> None:
    """Says nothing."""
    async for _ in line.frames():
        pass


async def echo(line: Line) -> None:
    """Says what it hears."""
    resampler = Resampler(CAPTURE_RATE, line.rate_out)
    async for frame in line.frames():
        line.play(resampler.feed(frame.pcm))


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Pcm:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def free_port() -> int:
    """A port that is free, and the next one, for UDP and TCP."""
    while True:
        with contextlib.ExitStack() as stack:
            probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            try:
                for kind, number in ((socket.SOCK_STREAM, port), (socket.SOCK_STREAM, port + 1)):
                    stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", number))
            except (OSError, OverflowError):
                continue
            return port


@contextlib.asynccontextmanager
async def phone(config: SipConfig, *, most: int = 4, agent: Callable[[Line], object] = echo) -> AsyncIterator[Phone]:
    """With `config` on a free port; `most` calls at once."""
    port = free_port()
    config = replace(config, listen=f"127.0.0.1:{port}")
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
        await agent(line)  # type: ignore[misc]

    async def speak(line: Line, words: str) -> None:
        line.play(tone(0.5, line.rate_out))
        await asyncio.sleep(0.6)

    door = SipDoor(worker, config, answer=answer, admit=admit, speak=speak, clock=SystemClock(), emit=events.append)
    under_test = Phone(port=port, door=door, worker=worker, lines=lines, events=events)
    try:
        await door.start()
        yield under_test
    finally:
        await door.close()


TRUSTING = SipConfig(enabled=True, trusted=["127.0.0.1"])


@pytest.fixture
async def desk() -> AsyncIterator[Phone]:
    """Takes direct calls, and calls and transfers anywhere."""
    async with phone(replace(TRUSTING, dial=["*@*"], keys={"0": "sip:reception@127.0.0.1:9"})) as under_test:
        yield under_test


@contextlib.asynccontextmanager
async def telephone(address: str = "127.0.0.1", **options: str) -> AsyncIterator[Telephone]:
    caller = Telephone(address, **options)
    await caller.open()
    try:
        yield caller
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(caller.hang_up(), 1.0)
        caller.close()
