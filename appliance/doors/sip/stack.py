"""The SIP worker: baresip, its accounts and calls, in a process of its own. Its C threads own SIP timers and RTP pace.

It answers requests of the main process (`dial`, `answer`, `transfer`, …), takes notes (`play`, `flush`), and tells
what happens as parts of one request, `attend`: each has `event`, and of a call its `call` (a number) and perhaps sound.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from baresip import Account, BaresipError, Call, CallState, Config, Event, Runtime, StackEvent, UserAgent
from baresip.stats import CallStats

from appliance.terms.units import FRAME_MS, FRAME_SAMPLES
from appliance.workers.mailbox import Mailbox, Request

from . import ban
from .digest import Digest
from .leg import Leg
from .native import Native
from .peers import Peers
from .trace import Seen, read
from .watch import Watch

PUMP_S = FRAME_MS / 2000
"""How often the calls' sound is fetched."""
BEAT_S = 1.0
REGISTER_AGAIN_S = (5.0, 10.0, 30.0, 60.0)
MOST_AHEAD = 500
"""Parts that the main process has not taken: then sound is dropped."""
MOST_EARLY = 100
MOST_UNTOLD = 1000
REMEMBERED = 200
"""INVITEs whose credentials may still be asked for."""
AUTHORIZED_WITHIN_S = 0.1
"""The trace of an INVITE comes a little after the event of it."""
DIRECT = "direct"
REALM = "frontdesk"
EVENTS = {
    Event.CALL_RINGING: "ringing",
    Event.CALL_PROGRESS: "ringing",
    Event.CALL_ESTABLISHED: "established",
    Event.CALL_HOLD: "held",
    Event.CALL_RESUME: "resumed",
}
UNSERVED = (403, 404, 405, 501)
"""What we answer to who knocks at the wrong door."""
RESOLVE_EVERY_S = 300.0
AGAIN_S, AGAIN_TIMES = 0.2, 20
MOST_WAITING = 1000
"""Requests and notes; they are taken as they come."""


class SipStack:
    """An engine of `workers.serve`. Raises BaresipError or ValueError where it cannot start.

    `accounts` are the keywords of baresip's `Account`, by a name of ours; `settings` lines of baresip's configuration;
    `servers` the hosts that our accounts know, `trusted` addresses and networks: those are never banned.
    """

    def __init__(
        self,
        *,
        accounts: Mapping[str, Mapping[str, Any]],
        settings: str,
        interface: str | None,
        ports: list[int],
        calls: int,
        rtp_timeout_s: int,
        servers: list[str],
        trusted: list[str],
        password: str,
    ) -> None:
        self.facts: Mapping[str, Any] = {}
        self._ports = ports
        self._native = Native()
        self._peers = Peers(servers, trusted)
        self._watch = Watch(self._is_spared)
        self._sources: dict[int, str] = {}
        """From where each call came."""
        self._digest = Digest(REALM, password, REALM) if password else None
        self._agents: dict[str, UserAgent] = {}
        self._names: dict[int, str] = {}
        self._calls: dict[int, tuple[Call, Leg]] = {}
        self._early: dict[int, list[StackEvent]] = {}
        self._authorized: OrderedDict[str, str] = OrderedDict()
        """The credentials of the last INVITEs, by Call-ID."""
        self._registered: dict[str, tuple[bool, str]] = {}
        self._dialling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mailbox: Mailbox | None = None
        self._attending: Request | None = None
        self._untold: deque[Mapping[str, Any]] = deque(maxlen=MOST_UNTOLD)
        """What happened before the main process attended."""
        self._dropped = 0
        self._loop = asyncio.new_event_loop()
        self._runtime = Runtime()
        self._runtime.on_dead = lambda: os._exit(1)  # a process whose SIP thread died cannot start another one
        self._ended = asyncio.Event()
        config = Config(
            net_interface=interface,
            max_concurrent_calls=calls,
            rtp_timeout=rtp_timeout_s,
            sip_trace=True,
            native_log_level="warning",
            extra_config_text=settings,
        )
        self._loop.run_until_complete(self._start(config, accounts))

    def serve(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        mailbox.capacity = MOST_WAITING
        threading.Thread(target=self._take, args=(mailbox,), name="requests", daemon=True).start()
        self._loop.run_until_complete(self._run())

    async def _start(self, config: Config, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        trace = logging.getLogger("baresip.native.sip")
        trace.setLevel(logging.DEBUG)
        trace.propagate = False
        trace.addHandler(_Listener(self._on_trace))
        await self._peers.resolve()
        await self._runtime.start(config)
        self._native.be_quiet()
        if not ban.enforce((), self._ports):
            raise OSError(f"nothing listens on port {self._ports[0]}: is another program using it?")
        self._runtime.subscribe(self._on_event)
        for name, keywords in accounts.items():
            account = Account(**{**keywords, "extra_params": tuple(keywords["extra_params"])})
            agent = await UserAgent.create(self._runtime, account, transfer_policy="reject")
            self._agents[name], self._names[agent.handle] = agent, name
            agent.on_incoming(lambda call, name=name: self._spawn(self._incoming(name, call)))
            if account.reg_interval:
                self._registered[name] = (False, "not yet")
                self._spawn(self._register(name, agent))

    async def _run(self) -> None:
        works = [asyncio.create_task(work) for work in (self._pump(), self._keep_up())]
        for work in works:
            work.add_done_callback(lambda _: self._ended.set())  # neither ends by itself: a bug, and a new process
        await self._ended.wait()
        for work in works:
            work.cancel()
        await asyncio.gather(*(self._quietly(call.hangup()) for call, _ in tuple(self._calls.values())))
        registered = [agent for name, agent in self._agents.items() if name in self._registered]
        await asyncio.gather(*(self._quietly(agent.unregister(timeout=1.0)) for agent in registered))
        await self._runtime.close()

    @staticmethod
    async def _quietly(work: Awaitable[None]) -> None:
        with contextlib.suppress(BaresipError):  # it has ended by itself
            await work

    # --- what the main process wants

    def _take(self, mailbox: Mailbox) -> None:
        """A thread: requests to the loop; and, while there are none, a look whether the loop still turns."""
        while True:
            try:
                request = mailbox.take(patience_s=BEAT_S)
            except EOFError:
                self._loop.call_soon_threadsafe(self._ended.set)
                return
            if request is None:
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result()
            else:
                self._loop.call_soon_threadsafe(self._begin, request)

    async def _keep_up(self) -> None:
        """Lift bans that are over, and ask now and then where our servers are."""
        resolved = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            if self._watch.lift(time.monotonic()):
                ban.enforce(self._watch.banned, self._ports)
            if time.monotonic() - resolved > RESOLVE_EVERY_S:
                resolved = time.monotonic()
                await self._peers.resolve()

    def _begin(self, request: Request) -> None:
        match request.op:
            case "play":
                if (known := self._calls.get(request.arguments["call"])) is not None:
                    totals = (int(request.arguments[key]) for key in ("given", "flushes"))
                    known[1].play(np.frombuffer(request.data, "<i2"), *totals)
            case "flush":
                if (known := self._calls.get(request.arguments["call"])) is not None:
                    known[1].flush(int(request.arguments["flushes"]))
            case "attend":
                self._attending = request
                while self._untold:
                    self._tell(self._untold.popleft())
            case _:
                self._spawn(self._answer(request))

    async def _answer(self, request: Request) -> None:
        assert self._mailbox is not None
        operations: dict[str, Callable[..., Awaitable[Mapping[str, Any]]]] = {
            "dial": self._dial,
            "answer": self._pick_up,
            "refuse": self._refuse,
            "hang_up": self._hang_up,
            "hold": self._hold,
            "keys": self._send_keys,
            "transfer": self._transfer,
            "connect": self._connect,
        }
        try:
            answer = await operations[request.op](**request.arguments)
            if request.op == "dial" and self._mailbox.cancelled(request):  # nobody waits for it any more
                await self._quietly(self._calls[answer["call"]][0].hangup())
            self._mailbox.part(request, answer)
            self._mailbox.done(request)
        except (BaresipError, ValueError, KeyError, TypeError) as error:
            status = getattr(error, "status", None)
            self._mailbox.error(request, f"{status} {error}" if status else str(error))

    async def _dial(self, *, account: str, to: str) -> Mapping[str, Any]:
        async with self._dialling:
            call = await self._agents[account].dial(to)
            self._calls[call.handle] = call, Leg(call.audio)
        early = self._early.pop(call.handle, [])
        self._early.clear()
        for event in early:  # what happened before `dial` returned
            call._on_stack_event(event)
            self._on_call(event)
        return {"call": call.handle}

    async def _pick_up(self, *, call: int) -> Mapping[str, Any]:
        await self._calls[call][0].answer()
        return {}

    async def _refuse(self, *, call: int, status: int, reason: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        await self._turn_away(self._calls[call][0], status, reason, headers)
        return {}

    async def _turn_away(self, call: Call, status: int, reason: str, headers: Mapping[str, str]) -> None:
        if not self._native.refuse(call.handle, call.call_id or "", status, reason, headers):
            await self._quietly(call.reject())

    async def _hang_up(self, *, call: int) -> Mapping[str, Any]:
        await self._calls[call][0].hangup()
        return {}

    async def _hold(self, *, call: int, on: bool) -> Mapping[str, Any]:
        held, _ = self._calls[call]
        for attempt in range(AGAIN_TIMES):
            try:
                await (held.hold() if on else held.resume())
                break
            except BaresipError as error:  # the re-INVITE before it is not answered yet
                if "retry shortly" not in str(error) or attempt == AGAIN_TIMES - 1:
                    raise
                await asyncio.sleep(AGAIN_S)
        return {}

    async def _send_keys(self, *, call: int, keys: str) -> Mapping[str, Any]:
        await self._calls[call][0].send_dtmf(keys)
        return {}

    async def _transfer(self, *, call: int, to: str, within_s: float) -> Mapping[str, Any]:
        await self._calls[call][0].transfer(to, timeout=within_s)
        return {}

    async def _connect(self, *, call: int, other: int, within_s: float) -> Mapping[str, Any]:
        """Attended transfer: the two who are at the ends of our two calls go on with each other."""
        await self._calls[call][0].attended_transfer(self._calls[other][0], timeout=within_s)
        return {}

    # --- what happens

    async def _incoming(self, name: str, call: Call) -> None:
        source = self._native.source(call.handle, call.call_id or "")
        if self._digest is not None and name == DIRECT and not await self._knows_password(call, source):
            challenge = {"WWW-Authenticate": self._digest.challenge(time.monotonic())}
            await self._turn_away(call, 401, "Unauthorized", challenge)
            return
        if call.state is CallState.CLOSED:  # the caller gave up meanwhile
            return
        self._calls[call.handle] = call, Leg(call.audio)
        self._sources[call.handle] = source
        known = self._peers.knows(source)
        self._tell({"event": "incoming", "call": call.handle, "account": name, "from": call.peer, "known": known})

    async def _knows_password(self, call: Call, source: str) -> bool:
        assert self._digest is not None
        deadline = time.monotonic() + AUTHORIZED_WITHIN_S
        while call.call_id not in self._authorized and time.monotonic() < deadline:  # noqa: ASYNC110 - a log's thread
            await asyncio.sleep(PUMP_S / 2)
        credentials = self._authorized.pop(call.call_id or "", "")
        known = self._digest.admits(credentials, "INVITE", time.monotonic())
        if credentials and not known:
            self._ban(source, self._watch.refused(source, time.monotonic(), credentials))
        return known

    def _on_event(self, event: StackEvent) -> None:
        match event.event:
            case Event.REGISTER_OK | Event.REGISTER_FAIL if event.ua in self._names:
                good = event.event is Event.REGISTER_OK
                self._registration(self._names[event.ua], good, "" if good else event.text or "")
            case _ if event.call in self._calls:
                self._on_call(event)
            case _ if event.call and len(self._early) < MOST_EARLY and self._dialling.locked():
                self._early.setdefault(event.call, []).append(event)

    def _on_call(self, event: StackEvent) -> None:
        call = event.call
        if event.event in EVENTS:
            if event.event is Event.CALL_ESTABLISHED and self._calls[call][0].state is CallState.OUTGOING:
                self._calls[call][0]._state = CallState.ESTABLISHED  # it happened before `dial` returned
            self._tell({"event": EVENTS[event.event], "call": call})
        elif event.event is Event.CALL_DTMF_START and event.text:
            self._tell({"event": "key", "call": call, "key": event.text[:1]})
        elif event.event is Event.CALL_TRANSFER:
            self._tell({"event": "transfer_refused", "call": call})
        elif event.event is Event.CALL_RTCP and event.stats:
            self._tell({"event": "quality", "call": call, **asdict(CallStats._from_payload(event.stats))})
        elif event.event is Event.CALL_CLOSED:
            del self._calls[call]
            self._sources.pop(call, None)
            self._tell({"event": "closed", "call": call, "why": event.text or ""})

    def _registration(self, name: str, registered: bool, why: str) -> None:
        if self._registered.get(name) != (registered, why):
            self._registered[name] = registered, why
            self._tell({"event": "registration", "account": name, "registered": registered, "why": why})
            if registered:
                self._spawn(self._peers.resolve())

    async def _register(self, name: str, agent: UserAgent) -> None:
        """Until it has succeeded once; baresip renews it, and tries again itself where a renewal fails."""
        attempt = 0
        while True:
            try:
                await agent.register()
            except BaresipError as error:
                self._registration(name, False, str(error))
                await asyncio.sleep(REGISTER_AGAIN_S[min(attempt, len(REGISTER_AGAIN_S) - 1)])
                attempt += 1
            else:
                return

    def _on_trace(self, text: str) -> None:
        """On the log's thread."""
        seen = read(text)
        if seen is not None:
            credentials = _header(text, "authorization") if seen.received and seen.method == "INVITE" else ""
            call_id = _header(text, "call-id") or _header(text, "i")
            self._loop.call_soon_threadsafe(self._on_message, seen, call_id, credentials)

    def _on_message(self, seen: Seen, call_id: str, credentials: str) -> None:
        now = time.monotonic()
        if credentials:
            self._authorized[call_id] = credentials
            if len(self._authorized) > REMEMBERED:
                self._authorized.popitem(last=False)
        if seen.received and not seen.status:
            self._ban(seen.peer, self._watch.request(seen.peer, now))
        elif not seen.received and seen.status in UNSERVED:
            self._ban(seen.peer, self._watch.refused(seen.peer, now, call_id))
        elif not seen.received and seen.method == "REGISTER" and not seen.status:
            self._peers.learn(seen.peer)

    def _ban(self, source: str, newly: bool) -> None:
        if newly:
            ban.enforce(self._watch.banned, self._ports)
            self._tell({"event": "banned", "source": source, "addresses": len(self._watch.banned)})

    def _is_spared(self, source: str) -> bool:
        """Our servers, trusted addresses, and who is on the phone: their address could be used by somebody else."""
        return self._peers.knows(source) or source in self._sources.values()

    # --- sound

    async def _pump(self) -> None:
        """Every 10 ms what came of each call, in frames of 20 ms; and how much was played, as often."""
        due = time.monotonic()
        while True:
            for handle, (_, leg) in tuple(self._calls.items()):
                self._forward(handle, leg)
            due = max(due + PUMP_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    def _forward(self, handle: int, leg: Leg) -> None:
        pcm = leg.take()
        if pcm is None:
            return
        if self._mailbox is None or self._attending is None or self._mailbox.ahead(self._attending) > MOST_AHEAD:
            self._dropped += len(pcm) // FRAME_SAMPLES
            return
        meta = {"event": "sound", "call": handle, **asdict(leg.account), "dropped": self._dropped}
        self._tell(meta, pcm.astype("<i2").tobytes())

    def _tell(self, meta: Mapping[str, Any], data: bytes = b"") -> None:
        if self._mailbox is not None and self._attending is not None:
            self._mailbox.part(self._attending, meta, data)
        else:
            self._untold.append(meta)

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Listener(logging.Handler):
    """The trace of SIP messages, to whoever counts them."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(record.getMessage())


def _header(text: str, name: str) -> str:
    """A message's first header of that name, or nothing."""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    lines = (line.partition(":") for line in head.split("\n"))
    return next((value.strip() for key, _, value in lines if key.strip().lower() == name), "")
