"""The phone: answers calls, places them and hands callers on, by the SIP worker's hands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from appliance.terms.clock import Clock
from appliance.terms.config import SipConfig
from appliance.terms.errors import BadInput, Busy, EngineError, NotReady
from appliance.terms.events import (
    AccountChanged,
    CallPlaced,
    CallRefused,
    CallTransferred,
    Event,
    KeyPressed,
    NetworkMeasured,
    SourceBanned,
)
from appliance.terms.line import Line
from appliance.workers.supervisor import Worker

from .address import Address, parse
from .answering import Answering, Verdict
from .callers import BUSY, FORBIDDEN, NOT_READY, Callers, Refusal
from .exchange import ASK_WITHIN_S, Exchange, Leg, happens
from .line import SipLine
from .options import DIRECT, account_name
from .transfer import ANSWERED_WITHIN_S, Introduction, Speak, blind
from .waiting import music, play

log = logging.getLogger(__name__)

ESTABLISHED_WITHIN_S = 10.0
"""The caller's ACK after our 200."""
STOP_WITHIN_S = 2.0
MOST_KEYS = 64

Answer = Callable[[Line], Awaitable[None]]
Release = Callable[[], None]
Admit = Callable[[], Release]


class SipDoor:
    """`answer` holds one conversation, `admit` takes a line of the device, `speak` says words to a line."""

    def __init__(
        self,
        worker: Worker,
        config: SipConfig,
        *,
        answer: Answer,
        admit: Admit,
        speak: Speak,
        clock: Clock,
        emit: Callable[[Event], None],
    ) -> None:
        """Raises ConfigError where the phone's patterns, hours, keys or music make no sense."""
        self._config = config
        self._callers = Callers(config)
        self._exchange = Exchange(worker, clock, self._hear)
        self._music = music(config.hold_music)
        self._introduction = Introduction(self._exchange, speak, self._music, self._spawn)
        self._waiting: dict[SipLine, asyncio.Task[None]] = {}
        """Music for who was put on hold."""
        self._leaving: set[str] = set()
        """Calls that are being handed on."""
        self._answer = answer
        self._speak = speak
        self._admit = admit
        self._clock = clock
        self._emit = emit
        self._placed: dict[Leg, CallPlaced] = {}
        """Calls of ours that are not answered yet."""
        self._talking: set[Leg] = set()
        """With whom the agent talks: their keys are for us."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._registered = {account_name(config, i): "not yet" for i, a in enumerate(config.accounts) if a.expires}

    @property
    def accounts(self) -> dict[str, str]:
        """The accounts that should be registered, with why they are not; empty where they are."""
        return dict(self._registered)

    @property
    def unregistered(self) -> list[str]:
        """The accounts that should be registered and are not."""
        return [name for name, why in self._registered.items() if why]

    async def start(self) -> None:
        """Returns once calls can come. Raises EngineDown."""
        await self._exchange.start()

    async def close(self) -> None:
        """Hang up on everybody, and unregister."""
        for leg in self._exchange.legs.values():
            if leg.line is not None:
                leg.line.hang_up("stopped")
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=STOP_WITHIN_S)
        for task in self._tasks:
            task.cancel()  # what still rings
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.stop()

    async def dial(self, to: str, say: str) -> str:
        """Call somebody, and say that once they answer; the id of the call, whose progress is told by events.

        Raises BadInput where that may not be called, Busy or NotReady.
        """
        address = self._callers.may_call(to)
        release = self._admit()
        line = self._exchange.line(caller=address.name, opening=say)
        self._spawn(self._place(line, address, release))
        return line.call

    async def redirect(self, call: str, to: str, introduce: str = "") -> None:
        """Hand a caller on; with words to `introduce` them, only once these were said to who answers there.

        Raises BadInput where there is no such call or it may not go there, EngineError or NotReady where it came to
        nothing: then the conversation goes on.
        """
        address = self._callers.may_call(to)
        line = self._line(call)
        if call in self._leaving:
            raise BadInput("This caller is being handed on already.")
        self._leaving.add(call)
        self._stop_music(line)
        line.flush()
        line.hold("transfer", on=True)
        try:
            if introduce:
                await self._introduction.run(line, self._account(address), address, introduce)
            else:
                await blind(self._exchange, line, address)
        except (EngineError, NotReady) as error:
            self._emit(CallTransferred(call=call, to=address.name, done=False, why=str(error)))
            raise
        finally:
            self._leaving.discard(call)
            line.hold("transfer", on=False)
        self._emit(CallTransferred(call=call, to=address.name, done=True))

    async def send_keys(self, call: str, keys: str) -> None:
        """Press keys of our own. Raises BadInput or EngineError."""
        if not 0 < len(keys) <= MOST_KEYS or keys.strip("0123456789*#ABCDabcd"):
            raise BadInput(f"Keys are 0-9, *, # and A-D, at most {MOST_KEYS} of them.")
        await self._exchange.ask("keys", ASK_WITHIN_S + len(keys), call=self._line(call).leg, keys=keys)

    def hang_up(self, call: str) -> None:
        """Raises BadInput where there is no such call."""
        for leg, placed in self._placed.items():
            if placed.call == call and leg.line is None:  # it is not answered yet
                leg.unwanted.set()
                return
        self._line(call).hang_up("stopped")

    def hold(self, call: str, *, on: bool) -> None:
        """Let the caller wait with music, or go on. Raises BadInput where there is no such call."""
        line = self._line(call)
        line.hold("owner", on=on)
        if not on:
            self._stop_music(line)
        elif line not in self._waiting and call not in self._leaving:
            line.flush()
            self._waiting[line] = asyncio.create_task(play(line, self._music))

    def _stop_music(self, line: SipLine) -> None:
        if (waiting := self._waiting.pop(line, None)) is not None:
            waiting.cancel()
            line.flush()

    def _line(self, call: str) -> SipLine:
        """Raises BadInput where there is no such call."""
        for leg in self._exchange.legs.values():
            if leg.line is not None and leg.line.call == call and not leg.line.ended:
                return leg.line
        raise BadInput("There is no such call on the phone.")

    # --- what the worker tells

    def _hear(self, leg: Leg | None, told: Mapping[str, Any]) -> None:
        if leg is None:
            self._hear_news(told)
            return
        match told["event"]:
            case "incoming":
                leg.claimed = True
                self._spawn(self._ring(leg, told))
            case "ringing" if leg in self._placed and self._placed[leg].progress == "dialling":
                self._progress(leg, "ringing")
            case "held" | "resumed" if leg.line is not None:
                leg.line.hold("peer", on=told["event"] == "held")
            case "key" if leg.bridged is not None:
                self._spawn(self._pass_key(leg.bridged, str(told["key"])))
            case "key" if leg.line is not None and leg in self._talking:
                self._key(leg.line, str(told["key"]))
            case "transfer_refused":
                log.warning("the phone: a caller's phone asked us to call somebody else; refused")
            case "quality" if leg.line is not None:
                line = leg.line
                line.network = line.quality.measure(told, self._clock.now(), dropped=line.dropped)
                self._emit(NetworkMeasured(call=line.call, network=line.network))

    def _hear_news(self, told: Mapping[str, Any]) -> None:
        match told["event"]:
            case "registration":
                self._registration(str(told["account"]), "" if told["registered"] else str(told["why"]) or "unknown")
            case "lost":
                for name in self._registered:
                    self._registration(name, "the phone starts again")
            case "banned":
                self._emit(SourceBanned(source=str(told["source"]), banned=int(told["addresses"])))

    def _registration(self, account: str, why: str) -> None:
        """`why` it is not registered; empty: it is."""
        before = self._registered.get(account)
        if before is not None and before != why:
            self._registered[account] = why
            self._emit(AccountChanged(account=account, registered=not why, why=why))

    def _key(self, line: SipLine, key: str) -> None:
        self._emit(KeyPressed(call=line.call, key=key))
        address = self._callers.by_key(key)
        if address is not None and not line.held:
            self._spawn(self._send_on(line.call, str(address)))

    async def _pass_key(self, leg: Leg, key: str) -> None:
        with contextlib.suppress(EngineError):  # the other one has hung up
            await self._exchange.ask("keys", call=leg.number, keys=key)

    async def _send_on(self, call: str, to: str) -> None:
        # It was told as an event, and the conversation goes on.
        with contextlib.suppress(EngineError, NotReady, BadInput):
            await self.redirect(call, to)

    # --- calls

    async def _ring(self, leg: Leg, told: Mapping[str, Any]) -> None:
        """Somebody calls."""
        caller = _address(str(told["from"] or ""))
        name = caller.name if caller is not None else ""
        refusal = self._refusal(caller, direct=told["account"] == DIRECT, known=bool(told["known"]))
        release: Release | None = None
        if refusal is None:
            try:
                release = self._admit()
            except Busy:
                refusal = self._callers.elsewhere(BUSY)
            except NotReady:
                refusal = self._callers.elsewhere(NOT_READY)
        if refusal is not None or release is None:
            await self._refuse(leg, refusal or BUSY, name)
            return
        self._talking.add(leg)
        try:
            leg.line = self._exchange.line(leg.number, caller=name, desk=str(told["account"]))
            if self._config.tone_keys:
                leg.line.on_key = partial(self._key, leg.line)
            if await self._pick_up(leg):
                await self._hold(leg, leg.line)
        finally:
            await self._end(leg)
            release()

    def _refusal(self, caller: Address | None, *, direct: bool, known: bool) -> Refusal | None:
        if not (direct or known):  # a stranger who asks for an account by its name, past its provider
            return FORBIDDEN
        return self._callers.refusal(caller, datetime.now())

    async def _refuse(self, leg: Leg, refusal: Refusal, caller: str) -> None:
        self._emit(CallRefused(door="sip", caller=caller, why=refusal.why))
        arguments = {"status": refusal.status, "reason": refusal.reason, "headers": refusal.headers}
        with contextlib.suppress(EngineError):  # the caller has given up already
            await self._exchange.ask("refuse", call=leg.number, **arguments)

    async def _pick_up(self, leg: Leg) -> bool:
        """Let it ring, and answer; False where the caller gave up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.ring_s):
                await leg.closed.wait()
        try:
            await self._exchange.ask("answer", call=leg.number)
        except EngineError as error:
            log.info("the phone: a call could not be answered: %s", error)
            return False
        return await happens(leg.established, leg.closed, within_s=ESTABLISHED_WITHIN_S)

    async def _place(self, line: SipLine, address: Address, release: Release) -> None:
        """We call somebody."""
        placed = CallPlaced(call=line.call, door="sip", to=address.name, progress="dialling")
        leg = Leg(0)
        self._placed[leg] = placed
        self._emit(placed)
        try:
            dialled = await self._exchange.dial(line, self._account(address), address)
            dialled.unwanted = leg.unwanted
            self._placed[dialled] = self._placed.pop(leg)
            leg = dialled
            if await happens(leg.established, leg.closed, leg.unwanted, within_s=ANSWERED_WITHIN_S):
                await self._answered(leg, line)
            elif leg.unwanted.is_set():
                self._progress(leg, "failed", "given up")
            else:
                self._progress(leg, *(_outcome(leg.why) if leg.closed.is_set() else ("no answer", "")))
        except (EngineError, NotReady) as error:
            self._progress(leg, "failed", str(error))
        finally:
            self._placed.pop(leg, None)
            await self._end(leg)
            release()

    async def _answered(self, leg: Leg, line: SipLine) -> None:
        """A person is talked to; on a machine the words are left after its beep."""
        leg.line = line
        answering = Answering()
        verdict: Verdict | None = None
        async for frame in line.frames():
            verdict = answering.feed(frame.pcm)
            if verdict is Verdict.MACHINE:
                self._progress(leg, "voicemail")
            elif verdict is not None:
                break
        if verdict is Verdict.PERSON:
            self._progress(leg, "answered")
            await self._hold(leg, line)
            return
        if verdict is Verdict.RECORDING:
            await self._speak(line, line.opening)
        await self._end(leg)
        self._progress(leg, *(("message left", "") if verdict is Verdict.RECORDING else ("failed", leg.why)))

    def _progress(self, leg: Leg, progress: str, why: str = "") -> None:
        before = self._placed[leg]
        self._placed[leg] = CallPlaced(call=before.call, door="sip", to=before.to, progress=progress, why=why)
        self._emit(self._placed[leg])

    def _account(self, address: Address) -> str:
        """Which of our accounts calls there."""
        number = self._callers.account_for(address)
        return DIRECT if number is None else account_name(self._config, number)

    async def _hold(self, leg: Leg, line: SipLine) -> None:
        """The conversation."""
        leg.line = line
        self._talking.add(leg)
        if leg.closed.is_set():
            line.hang_up("hangup")
        try:
            await self._answer(line)
        except EngineError as error:
            log.warning("call %s: %s", line.call, error)
            if leg in self._placed:
                self._progress(leg, "failed", str(error))

    async def _end(self, leg: Leg) -> None:
        """Whatever became of it."""
        self._talking.discard(leg)
        if leg.line is not None and leg.bridged is None:
            leg.line.hang_up("stopped")
            self._stop_music(leg.line)
        if leg.bridged is None:
            await self._exchange.hang_up(leg)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the phone: a bug of ours", exc_info=error)


def _address(text: str) -> Address | None:
    try:
        return parse(text)
    except BadInput:
        return None


def _outcome(why: str) -> tuple[str, str]:
    """What became of a call that nobody answered: in a word, and as the other side said it."""
    status = why[:3]
    if status in ("486", "600"):
        return "busy", why
    if status in ("408", "480", "487"):
        return "no answer", why
    return ("declined", why) if status in ("603", "403", "433") else ("failed", why)
