"""`frontdesk run`: the device, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from appliance.doors.webrtc import Release, WebrtcDoor
from appliance.flow.conversation import Conversation, Desk
from appliance.terms.clock import SystemClock
from appliance.terms.config import Config
from appliance.terms.errors import Busy, NotReady
from appliance.terms.events import Event
from appliance.terms.line import Line
from appliance.web.server import WebServer

from .desk import open_desk, role
from .engines import EngineRoom

log = logging.getLogger(__name__)

READY_WITHIN_S = 120.0


class Daemon:
    """Owns everything that runs; `stop` undoes `start` in reverse."""

    def __init__(self, config: Config, emit: Callable[[Event], None]) -> None:
        self._config = config
        self._emit = emit
        self._clock = SystemClock()
        self._role = role(config)
        self._room = EngineRoom(config, self._role.instructions, emit)
        self._desk: Desk | None = None
        self._calls = 0
        self._door = WebrtcDoor(self._answer, self._admit, self._clock, config.webrtc.ice_servers)
        self._web = WebServer(
            business=self._role.business,
            routes=self._door.routes(),
            missing=self._missing,
            host=config.http.host,
            port=config.http.port,
        )

    @property
    def url(self) -> str:
        return self._web.url

    async def start(self) -> None:
        """Returns once calls are answered; the page is up before that. Raises DeviceError or EngineError."""
        await self._web.start()
        await self._room.start(READY_WITHIN_S)
        self._desk = await open_desk(self._config, self._role, self._room.engines, self._clock)

    async def stop(self) -> None:
        await self._door.close()
        await self._web.stop()
        await self._room.stop()

    def _missing(self) -> list[str]:
        missing = self._room.missing()
        return missing if missing or self._desk is not None else ["phrases"]

    def _admit(self) -> Release:
        """Take one of the device's lines."""
        if self._desk is None:
            raise NotReady("The device is still warming up. It answers in a few seconds.")
        if self._calls >= self._config.limits.calls:
            raise Busy("All lines are taken. Please try again in a moment.")
        self._calls += 1
        return self._release

    def _release(self) -> None:
        self._calls -= 1

    async def _answer(self, line: Line) -> None:
        assert self._desk is not None
        await Conversation(line, self._desk, self._emit).run()


async def run(config: Config, emit: Callable[[Event], None], ready: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM. `ready` is told the page's address once calls are answered."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    daemon = Daemon(config, emit)
    try:
        starting = asyncio.create_task(daemon.start())
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            await starting
            ready(daemon.url)
            await waiting
        starting.cancel()
        waiting.cancel()
    finally:
        await daemon.stop()
