"""Telemetry as the device runs it: the reporter, the outbox and the broker."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.store.outbox import Outbox
from appliance.telemetry.commands import Commands, Handler
from appliance.telemetry.host import Host
from appliance.telemetry.mqtt import REPORTED, Mqtt
from appliance.telemetry.reporter import Reporter
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError
from appliance.terms.events import CallEnded, CallStarted, EngineChanged, Event, KioskChanged

if TYPE_CHECKING:
    from appliance.telemetry.tracing import Tracing

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OUTBOX = "outbox.db"
MOST_AT_ONCE = 16
"""Commands; more are not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What telemetry may ask of the device, and do to it."""

    handlers: Mapping[str, Handler]
    """Of commands from afar, by name."""
    wish: Callable[[bytes], Awaitable[Mapping[str, Any]]]
    """Take over `config/desired`; what to report."""
    about: Callable[[], Mapping[str, Any]]
    """More of how it stands: queues, models, …"""


class Telemetry:
    """Fed with every event; `start` and `stop` in the event loop."""

    def __init__(self, config: Config, state: Path, clock: Clock, device_: Device) -> None:
        """Raises ConfigError, or DeviceError where the outbox cannot be kept."""
        self._config = config
        self._clock = clock
        self._device = device_
        self._host = Host(state)
        self._outbox = Outbox(state / OUTBOX)
        self._boot = self._outbox.begin_boot()
        is_kiosk = config.kiosk.enabled
        self._mqtt = Mqtt(config.mqtt, device(config), self._outbox, version("frontdesk"), kiosk=is_kiosk)
        self._reporter = Reporter(
            self._mqtt.put,
            self._boot,
            text=config.telemetry.text,
            alert_p50_ms=config.telemetry.alert_p50_ms,
            alert_p95_ms=config.telemetry.alert_p95_ms,
        )
        self._commands = Commands(device_.handlers, list(config.mqtt.commands))
        self._doing: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        self._reporter.note(event, self._clock.now(), rfc3339(self._clock.utc()))
        if isinstance(event, CallStarted | CallEnded | EngineChanged | KioskChanged):
            self._changed.set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._config.mqtt.commands:
            self._mqtt.on_command = partial(_in_loop, loop, self._obey)
        if self._config.mqtt.settings:
            self._mqtt.on_desired = partial(_in_loop, loop, self._wish)
        self._mqtt.on_lost = partial(_in_loop, loop, self._confess)
        self._mqtt.start()
        self._confess()  # of the last start
        self._telling = asyncio.create_task(self._tell(), name="telemetry")

    async def stop(self) -> None:
        for task in (self._telling, *self._doing):
            if task is not None:
                task.cancel()
        await asyncio.to_thread(self._mqtt.stop)
        self._outbox.close()

    def waiting(self) -> dict[str, int]:
        """Events that the broker does not have yet, and those that could be neither sent nor kept."""
        return {"events_waiting": len(self._outbox), "events_dropped": self._mqtt.dropped}

    def changed(self) -> None:
        """Tell how the device stands, soon."""
        self._changed.set()

    def _obey(self, name: str, payload: bytes) -> None:
        self._do(self._command(name, payload))

    def _wish(self, payload: bytes) -> None:
        self._do(self._desire(payload))

    def _confess(self) -> None:
        self._do(self._tell_lost())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._doing) >= MOST_AT_ONCE:
            work.close()
            return
        self._doing.add(task := asyncio.create_task(work))
        task.add_done_callback(self._doing.discard)

    async def _command(self, name: str, payload: bytes) -> None:
        self._mqtt.answer(name, await self._commands.obey(name, payload))
        self._changed.set()

    async def _desire(self, payload: bytes) -> None:
        self._mqtt.retain(REPORTED, {"ts": rfc3339(self._clock.utc()), **await self._device.wish(payload)})

    async def _tell_lost(self) -> None:
        """What the outbox had to give up, as an alert."""
        lost = await asyncio.to_thread(self._outbox.lost)
        self._reporter.gave_up(lost, rfc3339(self._clock.utc()))
        await asyncio.to_thread(self._outbox.forgive, lost)

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
        host = await asyncio.to_thread(self._host.measure)  # files; what events change is read here, in the loop
        ts, about = rfc3339(self._clock.utc()), self._device.about()
        self._reporter.look({**host, **about}, ts)
        state = self._reporter.state(self._clock.now())
        return {"ts": ts, "version": version("frontdesk"), **state, **self.waiting(), **about, "host": host}


def _in_loop(loop: asyncio.AbstractEventLoop, work: Callable[..., None], *what: Any) -> None:
    """Something that came on another thread."""
    loop.call_soon_threadsafe(work, *what)


def open_telemetry(config: Config, state: Path, clock: Clock, device_: Device) -> Telemetry | None:
    """None where nothing is to be told. Raises ConfigError or DeviceError."""
    return Telemetry(config, state, clock, device_) if config.mqtt.url else None


def open_tracing(config: Config) -> Tracing | None:
    """None where no traces are wanted. Raises ConfigError."""
    if not config.telemetry.traces:
        return None
    # Imported only here: few devices want it, and it would cost all of them 15 MB.
    from appliance.telemetry.tracing import Tracing, exporter

    models = {"stt": config.stt.model, "llm": config.llm.model, "tts": config.tts.voice}
    about = {"device": device(config), "version": version("frontdesk")}
    return Tracing(exporter(config.telemetry.traces), **about, models=models)


def device(config: Config) -> str:
    """The device's name in topics. Raises ConfigError."""
    name = config.mqtt.device or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()) or "frontdesk"
    if not NAME.fullmatch(name):
        raise ConfigError([f"mqtt.device = {name!r}: it may have letters, digits, -, _ and ., at most 64 of them"])
    return name
