"""`frontdesk run`: the device, from its start to its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from appliance.control.api import CallsApi
from appliance.control.kiosk import KioskApi
from appliance.control.messages import MessagesApi
from appliance.control.verbs import Verbs
from appliance.doors.kiosk.door import KioskDoor
from appliance.doors.webrtc import WebrtcDoor
from appliance.engines.contracts import Message
from appliance.flow.desk import Desk
from appliance.store.meanings import Meanings
from appliance.telemetry.host import Host
from appliance.telemetry.metrics import Metrics
from appliance.terms.clock import Clock, SystemClock, rfc3339
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError, DeviceError, EngineError, OwnerError, SwitchedOff
from appliance.terms.events import Event, KioskChanged, State
from appliance.web import certificate
from appliance.web.kiosk import KioskPage, own_screen
from appliance.web.owner import Owner, token
from appliance.web.server import WebServer
from appliance.web.share import Share

from .callers import Callers
from .calls import Calls
from .canary import canary
from .cloud import open_cloud
from .commands import handlers
from .desired import Desired
from .desk import Role, open_desk, roles
from .engines import MEANING_MODEL, EngineRoom
from .kiosk import open_kiosk
from .knowledge import Watch, forget_others
from .messages import Messages
from .phone import open_phone
from .records import Records
from .settings import changed, keeping
from .systemd import Systemd
from .telemetry import Device, open_telemetry, open_tracing

log = logging.getLogger(__name__)

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 5.0
LIVE = ("agent.", "actions.", "turns.", "limits.", "llm.max_tokens", "messages.take")
"""Keys that may change while calls go on."""
PROBE = "reload"
SHARE_TOKEN = "share-token"
MEANINGS = "meanings.db"


class Daemon:
    """Owns everything that runs; `stop` undoes `start` in reverse."""

    def __init__(self, config: Config, state: Path, emit: Callable[[Event], None]) -> None:
        self._tell = emit
        self._clock = SystemClock()
        self._owners = config
        self._desired = Desired(state, config.mqtt.settings)
        self._config = config = self._desired.over(config)
        self._roles = roles(config)
        self._room = EngineRoom(config, self._roles[""].instructions, state, self._emit)
        self._cloud = open_cloud(config, self._room, state, self._clock, self._emit)
        self._callers = _callers(config, state, self._clock)
        known = None if self._callers is None else self._callers.name
        self._calls = Calls(self._emit, None if self._cloud is None else self._cloud.engines, known)
        self._records = Records(config.telemetry, state, self._clock)
        self._meanings = _meanings(state)
        self._messages = _messages(config, self._roles[""].business, state, self._clock)
        self._changing = asyncio.Lock()
        self._rendering: asyncio.Task[None] | None = None
        self._watch = Watch(lambda: (path for who in self._roles.values() for path in who.paths), self._read_again)
        self._tracing = open_tracing(config)
        self._certificate = _certificate(config, state)
        owner = Owner(token(state))
        self._host = Host(state)
        self._metrics = Metrics(owner.only, lambda: {**self._host.measure(), **self._about(), **self._waiting()})
        self._phone = open_phone(config, self._calls, self._clock, self._emit)
        self._kiosk = open_kiosk(config, self._calls, self._room.engines.stt, self._missing, self._clock, self._emit)
        self._verbs = verbs = Verbs(self._calls, lambda: self._phone)
        obey = handlers(
            verbs,
            mute_all=lambda on: self._calls.mute_all(on=on),
            drain=self.drain,
            canary=lambda: canary(self._calls, self._room.engines.tts, self._clock),
            kiosk=self._the_kiosk,
        )
        device = Device(handlers=obey, wish=self._wish, about=self._about)
        self._telemetry = open_telemetry(config, state, self._clock, device)
        self._door = WebrtcDoor(self._calls.answer, self._calls.admit, self._clock, config.webrtc, self._emit)
        self._web = WebServer(
            business=self._roles[""].business,
            routes=[
                *self._door.routes(),
                *owner.routes(),
                *CallsApi(self._records.archive, owner.only, verbs).routes(),
                *(MessagesApi(self._messages, owner.only).routes() if self._messages is not None else []),
                *self._metrics.routes(),
                *self._kiosk_routes(config, owner),
                *self._share(config, state),
            ],
            missing=self._missing,
            host=config.http.host,
            port=config.http.port,
            certificate=self._certificate,
            welcome_port=config.http.welcome_port if config.http.tls == certificate.SELF else None,
        )

    def _the_kiosk(self) -> KioskDoor:
        if self._kiosk is None:
            raise SwitchedOff("There is no kiosk: set kiosk.enabled.")
        return self._kiosk

    def _kiosk_routes(self, config: Config, owner: Owner) -> list[web.RouteDef]:
        if self._kiosk is None:
            return []
        page = KioskPage(config.kiosk, lambda: self._web.business)
        return [*page.routes(), *self._kiosk.routes(own_screen), *KioskApi(self._kiosk, owner.only).routes()]

    def _share(self, config: Config, state: Path) -> list[web.RouteDef]:
        """For other devices, where the owner wants that."""
        if not config.http.share:
            return []
        only = Owner(token(state, SHARE_TOKEN)).only
        return Share(lambda: self._room.engines, self._room.models, only, config.http.share).routes()

    def _emit(self, event: Event) -> None:
        if isinstance(event, KioskChanged):
            self._room.expect_visitor(expected=event.state in (State.LISTENING, State.THINKING))
        self._records.note(event)
        self._metrics.note(event)
        if self._messages is not None:
            self._messages.note(event)
        if self._callers is not None:
            self._callers.note(event)
        if self._tracing is not None:
            self._tracing.note(event, self._clock.utc())
        if self._telemetry is not None:
            self._telemetry.note(event)
        self._tell(event)

    @property
    def addresses(self) -> tuple[str, str]:
        """The call page, and the page that prepares people for their browser's warning, or nothing."""
        return self._web.url, self._web.welcome_url

    async def start(self) -> None:
        """Returns once calls are answered; the page is up before that. Raises DeviceError or EngineError."""
        await self._web.start()
        self._records.start()
        if self._messages is not None:
            await self._messages.start()
        if self._callers is not None:
            self._callers.start()
        if self._cloud is not None:
            self._cloud.start()
        if self._telemetry is not None:
            await self._telemetry.start()
        if self._kiosk is not None:
            await self._kiosk.start()  # its screen says what it waits for
        await self._room.start(READY_WITHIN_S)
        await self._open(self._config, self._roles)
        self._watch.start()
        if self._phone is not None:
            await self._phone.start()
        gc.collect()
        gc.freeze()  # a collection looks only at what came since: 2 ms instead of 70, in which no call hears anything

    async def reload(self, config: Config) -> None:
        """Take over what the owner has changed, while calls go on; they keep what they began with.

        Raises ConfigError naming what cannot change, or cannot be used, and then nothing has changed.
        """
        if fixed := [key for key in changed(self._owners, config) if not key.startswith(LIVE)]:
            problems = [f"{key} cannot change while Frontdesk runs" for key in fixed]
            raise ConfigError(problems, mend="Restart it for that; nothing was changed.")
        await self._apply(self._desired.over(config))
        self._owners = config

    async def _wish(self, payload: bytes) -> Mapping[str, Any]:
        """Take over what an operator wishes."""
        return await self._desired.take(payload, self._owners, self._apply)

    async def _apply(self, config: Config) -> list[str]:
        """Take over what can change now; the keys that need a restart for it. Raises ConfigError."""
        keys = changed(self._config, config)
        if not keys:
            return []
        pending = [key for key in keys if not key.startswith(LIVE)]
        await self._take(keeping(self._config, config, pending))
        log.info("changed: %s", ", ".join(keys) or "nothing")
        return pending

    async def _take(self, config: Config) -> None:
        """Have who answers know what is written now. Raises ConfigError, and then nothing has changed."""
        async with self._changing:
            who = await asyncio.to_thread(roles, config)
            try:
                await self._open(config, who)
            except EngineError as error:
                raise ConfigError([f"agent: {error}"], mend="Nothing was changed.") from error
            self._config, self._roles = config, who

    async def _read_again(self) -> None:
        """The owner has changed what they wrote."""
        try:
            await self._take(self._config)
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("%s", error.mend or "What was known before is still answered from.")
            return
        log.info("the owner's files were read again")

    async def _open(self, config: Config, who: Mapping[str, Role]) -> None:
        """Raises EngineError where the language model cannot hold what somebody is to know."""
        engines, desks = self._room.engines, {}
        if self._messages is None:  # they could not be kept
            config = replace(config, messages=replace(config.messages, take=False))
        for name, one in who.items():
            await engines.llm.prefill(PROBE, [Message("system", one.instructions)])
            await engines.llm.forget(PROBE)
            for left_out in one.facts.problems:
                log.warning("%s", left_out)
            desks[name] = await open_desk(
                config, one, engines, self._clock, self._meanings, phone=lambda: self._verbs.phone, emit=self._emit
            )
        self._calls.open(desks, config.limits.calls)
        if self._meanings is not None:
            await forget_others(self._meanings, [one.facts for one in who.values()], who[""].offers.tools)
        if self._rendering is not None:
            self._rendering.cancel()
        if self._cloud is None:  # with providers, each call finds its own voice
            self._rendering = asyncio.create_task(_render(desks.values()), name="rendering")
        self._web.business = who[""].business

    def standing_still(self) -> list[str]:
        """What makes no progress, by name; the event loop does, or this would not run."""
        still = [worker.name for worker in self._room.workers if worker.standing_still]
        return [*still, "a call"] if self._calls.standing_still(self._clock.now()) else still

    async def drain(self) -> None:
        """Take no more calls, and bring those that are held to an end as a person would."""
        await self._calls.drain()

    async def stop(self) -> None:
        """Undo `start`, all of it, whatever one of its parts raises: what outlived it would hold the process."""
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(asyncio.to_thread, self._records.stop)
            if self._messages is not None:
                last_first.push_async_callback(self._messages.stop)
            if self._callers is not None:
                last_first.push_async_callback(asyncio.to_thread, self._callers.stop)
            if self._meanings is not None:
                last_first.callback(self._meanings.close)
            if self._tracing is not None:
                last_first.push_async_callback(asyncio.to_thread, self._tracing.stop)
            if self._telemetry is not None:
                last_first.push_async_callback(self._telemetry.stop)
            if self._cloud is not None:
                last_first.push_async_callback(self._cloud.stop)
            last_first.push_async_callback(self._room.stop)
            last_first.push_async_callback(self._web.stop)
            last_first.push_async_callback(self._calls.close)
            if self._rendering is not None:
                last_first.callback(self._rendering.cancel)
            last_first.push_async_callback(self._watch.stop)
            if self._phone is not None:
                last_first.push_async_callback(self._phone.close)
            if self._kiosk is not None:
                last_first.push_async_callback(self._kiosk.close)
            last_first.push_async_callback(self._door.close)

    def _about(self) -> dict[str, Any]:
        """How the device stands, as far as no event tells it."""
        queues = {worker.name: worker.waiting for worker in self._room.workers}
        days = (self._certificate.ends - self._clock.utc()).days if self._certificate is not None else None
        return {
            "muted": self._calls.muted,
            "queues": queues,
            "models": self._room.models,
            "certificate_days": days,
            "records_dropped": self._records.dropped,
            **({} if self._kiosk is None else {"kiosk": self._kiosk.about(), "precedence": self._precedence()}),
            "cloud": None if self._cloud is None else self._cloud.about(rfc3339(self._clock.utc())),
        }

    def _precedence(self) -> dict[str, dict[str, int]]:
        return {name: engine.about() for name, engine in self._room.precedence.items()}

    def _waiting(self) -> Mapping[str, int]:
        return {} if self._telemetry is None else self._telemetry.waiting()

    def _missing(self) -> list[str]:
        return self._room.missing() or ([] if self._calls.open_to_callers else ["phrases"])


async def run(
    config: Config,
    state: Path,
    systemd: Systemd,
    emit: Callable[[Event], None],
    ready: Callable[[str, str], None],
    again: Callable[[], Config],
) -> None:
    """Run until SIGINT or SIGTERM, and a little longer to say goodbye; the second one stops at once.

    `state` is the folder for what must be kept. `ready` is told the daemon's addresses once calls are answered. On
    SIGHUP what `again` reads is taken over, as far as it can be.
    """
    started, stopping, hurrying = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurrying if stopping.is_set() else stopping).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        daemon = Daemon(config, state, emit)
    except OwnerError as error:  # it may be what an operator wished from afar; nobody there could take that back
        if not Desired(state, config.mqtt.settings).set_aside(str(error)):
            raise
        daemon = Daemon(config, state, emit)
    reloading: set[asyncio.Task[None]] = set()

    def reload() -> None:
        reloading.add(task := asyncio.create_task(_reload(daemon, started, again)))
        task.add_done_callback(reloading.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)

    feeding = asyncio.create_task(systemd.feed(daemon.standing_still))
    try:
        try:
            begun = await _unless(stopping, daemon.start())
        except (OwnerError, EngineError) as error:
            Desired(state, config.mqtt.settings).set_aside(str(error))
            raise
        if begun:
            started.set()
            ready(*daemon.addresses)
            systemd.tell("READY=1", f"STATUS=Answering at {daemon.addresses[0]}")
            await stopping.wait()
            systemd.tell("STOPPING=1", "STATUS=Saying goodbye")
            await _unless(hurrying, daemon.drain())
    finally:
        feeding.cancel()
        await daemon.stop()


async def _reload(daemon: Daemon, started: asyncio.Event, again: Callable[[], Config]) -> None:
    await started.wait()
    try:
        await daemon.reload(again())
    except ConfigError as error:
        for problem in error.problems:
            log.error("reload: %s", problem)
        log.error("reload: %s", error.mend or "Nothing was changed.")


def _certificate(config: Config, state: Path) -> certificate.Certificate | None:
    if not config.http.tls:
        return None
    if config.http.tls == certificate.SELF:
        return certificate.own(state / "tls", datetime.now(UTC))
    chain = Path(config.http.tls).expanduser()
    return certificate.given(chain, Path(config.http.tls_key).expanduser() if config.http.tls_key else chain)


async def _render(desks: Iterable[Desk]) -> None:
    """What is missing is only said a little later."""
    try:
        for desk in desks:
            await desk.render()
    except EngineError as error:
        log.warning("answers are not rendered beforehand: %s", error)


def _meanings(state: Path) -> Meanings | None:
    try:
        return Meanings(state / MEANINGS, MEANING_MODEL)
    except DeviceError as error:
        log.error("what the owner's sentences mean cannot be kept: %s", error)
        return None


def _callers(config: Config, state: Path, clock: Clock) -> Callers | None:
    """None: nobody is remembered, or can be."""
    if not config.messages.remember_days:
        return None
    try:
        return Callers(state, config.messages.remember_days, clock)
    except DeviceError as error:
        log.error("callers are not remembered: %s", error)
        return None


def _messages(config: Config, business: str, state: Path, clock: Clock) -> Messages | None:
    """None: they cannot be kept, so none is taken. Raises ConfigError."""
    try:
        return Messages(config.messages, business, state, clock)
    except DeviceError as error:
        log.error("no messages are taken: %s", error)
        return None


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work unless the event happens first; whether it was done. Raises what it raised."""
    task, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        task.cancel()
        waiting.cancel()
        await asyncio.wait({task, waiting}, timeout=STOP_WITHIN_S)
