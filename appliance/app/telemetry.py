"""Telemetry as the device runs it: the reporter, the outbox and the broker."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from appliance.store.outbox import Outbox
from appliance.telemetry.commands import Commands, Handler
from appliance.telemetry.host import host
from appliance.telemetry.mqtt import Mqtt
from appliance.telemetry.reporter import Reporter
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError
from appliance.terms.events import CallEnded, CallStarted, EngineChanged, Event

DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OUTBOX = "outbox.db"
MOST_COMMANDS = 16
"""At once; more are not answered."""


class Telemetry:
    """Fed with every event; `start` and `stop` in the event loop."""

    def __init__(self, config: Config, state: Path, clock: Clock, handlers: Mapping[str, Handler]) -> None:
        """`handlers`: of commands from afar. Raises ConfigError, or DeviceError where the outbox cannot be kept."""
        self._config = config
        self._clock = clock
        self._state = state
        self._outbox = Outbox(state / OUTBOX)
        self._boot = self._outbox.begin_boot()
        self._mqtt = Mqtt(config.mqtt, device(config), self._outbox, version("frontdesk"))
        self._reporter = Reporter(
            self._mqtt.put,
            self._boot,
            text=config.telemetry.text,
            alert_p50_ms=config.telemetry.alert_p50_ms,
            alert_p95_ms=config.telemetry.alert_p95_ms,
        )
        self._commands = Commands(handlers, list(config.mqtt.commands))
        self._obeying: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        self._reporter.note(event, self._clock.now(), rfc3339(self._clock.utc()))
        if isinstance(event, CallStarted | CallEnded | EngineChanged):
            self._changed.set()

    async def start(self) -> None:
        self._reporter.gave_up(lost := self._outbox.lost(), rfc3339(self._clock.utc()))
        self._outbox.forgive(lost)
        if self._config.mqtt.commands:
            loop = asyncio.get_running_loop()
            self._mqtt.on_command = partial(_in_loop, loop, self._obey)
        self._mqtt.start()
        self._telling = asyncio.create_task(self._tell(), name="telemetry")

    async def stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        await asyncio.to_thread(self._mqtt.stop)
        self._outbox.close()

    def _obey(self, name: str, payload: bytes) -> None:
        if len(self._obeying) < MOST_COMMANDS:
            self._obeying.add(task := asyncio.create_task(self._do(name, payload)))
            task.add_done_callback(self._obeying.discard)

    async def _do(self, name: str, payload: bytes) -> None:
        self._mqtt.answer(name, await self._commands.obey(name, payload))

    async def _tell(self) -> None:
        """The device's state, now and then and on change."""
        while True:
            self._mqtt.retain("state", await self._stand())
            self._changed.clear()
            try:
                async with asyncio.timeout(self._config.telemetry.period):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _stand(self) -> dict[str, Any]:
        about = await asyncio.to_thread(host, self._state)  # files; what events change is read here, in the loop
        state = self._reporter.state(self._clock.now())
        waiting = {"events_waiting": len(self._outbox), "events_dropped": self._mqtt.dropped}
        ts = rfc3339(self._clock.utc())
        return {"ts": ts, "version": version("frontdesk"), **state, **waiting, "host": about}


def _in_loop(loop: asyncio.AbstractEventLoop, obey: Callable[[str, bytes], None], name: str, payload: bytes) -> None:
    """A command that came on another thread."""
    loop.call_soon_threadsafe(obey, name, payload)


def open_telemetry(config: Config, state: Path, clock: Clock, handlers: Mapping[str, Handler]) -> Telemetry | None:
    """None where nothing is to be told. Raises ConfigError or DeviceError."""
    return Telemetry(config, state, clock, handlers) if config.mqtt.url else None


def device(config: Config) -> str:
    """The device's name in topics. Raises ConfigError."""
    name = config.mqtt.device or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()) or "frontdesk"
    if not DEVICE.fullmatch(name):
        raise ConfigError([f"mqtt.device = {name!r}: it may have letters, digits, -, _ and ., at most 64 of them"])
    return name
