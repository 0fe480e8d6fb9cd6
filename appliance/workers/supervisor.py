"""The parent's side: one `Worker` keeps one engine's process alive and carries requests to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from appliance.terms.errors import EngineDown, EngineError, EngineFull, EngineLate
from appliance.terms.events import EngineChanged

from .wire import Decoder, Kind, Message, WireError, encode

log = logging.getLogger(__name__)

BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
HOPELESS = 2
"""So many lives in a row in which it was never ready: nobody waits for the next one."""
"""Waits before the first, second, … restart in a row; a worker that lived `SETTLED_S` starts over."""
SETTLED_S = 30.0
STOP_S = 2.0
DYING_S = 0.2
"""How long after its socket closed a dying process may take to end, so that we can tell how it died."""
BEAT_S = 0.5
SILENT_S = 2.0
"""A worker that says nothing for so long, though it is asked every half second, is frozen: it is killed."""
STEP_S = 20.0
"""An engine that is at one step for so long is stuck: its process is killed. The longest step that is none takes 4 s
(28 s of speech, Whisper base, a Raspberry Pi)."""
START_S = 120.0
"""A process that is not ready by then is killed and started again."""
RECEIVE_BYTES = 1 << 16
ENVIRONMENT = {"GOMP_SPINCOUNT": "600", "OPENBLAS_NUM_THREADS": "1"}
"""How long OpenMP's threads, of Whisper and of llama.cpp, spin for each other before they sleep. By default some
milliseconds: beside a busy program the language model then all but stands still (under 1 token a second; with this 27,
and 53 instead of 55 on a quiet machine). And no threads for numpy: after half a millisecond's work (a spectrogram) they
spin for so long that Whisper's next 100 ms take 150."""


class _Pending:
    """A request in flight. Its queue is bounded by the answer's own length (max_tokens, a clause)."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Message | None] = asyncio.Queue()  # None: the worker died


class Worker:
    """One engine's process: started, restarted with back-off while calls go on, stopped.

    `stream` sends a request and yields its parts; at most `max_pending` are in flight, one more raises EngineFull.
    `nice` (0 to 19) says which worker gives way to which when all want the processor; `mend` what a person can do where
    it cannot start.
    A request whose worker dies before its first part is sent once more to the next one.
    """

    def __init__(
        self,
        name: str,
        entry: str,
        options: Mapping[str, Any],
        *,
        emit: Callable[[EngineChanged], None],
        max_pending: int = 16,
        nice: int = 0,
        mend: str = "Is its model whole, and of the right kind? frontdesk models verify",
    ) -> None:
        self.name = name
        self.restarts = 0
        self.facts: Mapping[str, Any] = {}
        self.failure = ""
        """Why it last died or could not start; empty while it is ready."""
        self.pid: int | None = None
        self._entry = entry
        self.options = options
        """What it is started with; an option that it chooses for itself, and tells among its facts, stays chosen."""
        self._emit = emit
        self._max_pending = max_pending
        self._nice = nice
        self._mend = mend
        self._pending: dict[int, _Pending] = {}
        self._ids = itertools.count(1)
        self._ready = asyncio.Event()
        self._unfit = asyncio.Event()
        """It said that it cannot start and has never done so: trying again would not help."""
        self._hopeless = asyncio.Event()
        """It has worked, and now dies as often as it starts: who waits for it would wait in vain."""
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._was_ready = False
        self._lived = False
        """This process was ready."""
        self._heard = 0.0
        self._step_s = 0.0
        self._frozen = False

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    @property
    def waiting(self) -> int:
        """Requests that are not answered yet."""
        return len(self._pending)

    @property
    def standing_still(self) -> bool:
        """Nobody keeps it alive, or nobody has noticed that it is frozen. Either would be a bug of ours."""
        unkept = self._keeper is not None and self._keeper.done()
        return unkept or (self.is_ready and time.monotonic() - self._heard > 3 * SILENT_S)

    async def start(self) -> None:
        """Start the process, and keep it alive. Does not wait until it is ready."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        """End the process and whatever waits for it."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def wait_ready(self, timeout_s: float) -> None:
        """Returns once it is warm. Raises EngineDown with its last failure after `timeout_s`, or if it cannot start, or
        dies again and again."""
        if not self.is_ready:
            waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._unfit, self._hopeless)]
            try:
                await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        if not self.is_ready:
            raise EngineDown(f"{self.name} is not ready: {self.failure or 'still starting'}", mend=self._mend)

    def note(self, op: str, arguments: Mapping[str, Any], data: bytes = b"") -> None:
        """Tell it something that needs no answer; a worker that is not there never hears it."""
        self._send(Message(kind=Kind.NOTE, meta={"op": op, **arguments}, data=data))

    async def stream(
        self, op: str, arguments: Mapping[str, Any], data: bytes = b"", *, deadline_s: float
    ) -> AsyncGenerator[Message, None]:
        """Send a request and yield its parts. Leaving the iteration early cancels it.

        Raises EngineDown, EngineLate (`deadline_s` seconds from now), EngineFull or EngineError.
        """
        deadline = time.monotonic() + deadline_s
        meta = {"op": op, "deadline": deadline, **arguments}
        for attempt in (1, 2):
            parts = 0
            try:
                await self.wait_ready(max(0.0, deadline - time.monotonic()))
                async with contextlib.aclosing(self._request(meta, data, deadline)) as answers:
                    async for part in answers:
                        parts += 1
                        yield part
                return
            except _Died:
                if parts or attempt == 2:
                    raise EngineDown(f"{self.name} died while it worked on a request") from None

    async def _request(self, meta: Mapping[str, Any], data: bytes, deadline: float) -> AsyncGenerator[Message, None]:
        if len(self._pending) >= self._max_pending:
            raise EngineFull(f"{self.name} already has {self._max_pending} requests")
        request, pending = next(self._ids), _Pending()
        self._pending[request] = pending
        finished = False
        try:
            self._send(Message(kind=Kind.REQUEST, request=request, meta=meta, data=data))
            while True:
                try:
                    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                        answer = await pending.answers.get()
                except TimeoutError:
                    raise EngineLate(f"{self.name} missed its deadline") from None
                if answer is None:
                    raise _Died
                if answer.kind is Kind.PART:
                    yield answer
                    self._send(Message(kind=Kind.TAKEN, request=request))
                    continue
                finished = True
                if answer.kind is Kind.ERROR:
                    raise _error(self.name, answer.meta)
                return
        finally:
            del self._pending[request]
            if not finished:
                self._send(Message(kind=Kind.CANCEL, request=request))

    def _send(self, message: Message) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    async def _keep(self) -> None:
        """Run the process again and again, until `stop` cancels it or it turns out to be unfit."""
        failures = stillborn = 0
        while True:
            started, self._lived = time.monotonic(), False
            try:
                await self._live()
            except (OSError, WireError) as error:
                self.failure = str(error)
            if self._unfit.is_set():
                return
            failures = 0 if time.monotonic() - started > SETTLED_S else failures + 1
            stillborn = 0 if self._lived else stillborn + 1
            if stillborn >= HOPELESS and self._was_ready:
                self._hopeless.set()
            delay = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else 0.0
            log.warning("%s: %s; starting it again in %.1f s", self.name, self.failure, delay)
            await asyncio.sleep(delay)
            self.restarts += 1

    async def _live(self) -> None:
        """One life of the process, from spawn to death."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "appliance.workers.serve", self.name, self._entry, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **ENVIRONMENT},
                # A group of its own: Ctrl-C in the terminal is for the parent, which says goodbye before it stops us.
                # But no session of its own: Linux would weigh nice only within each (sched_autogroup).
                process_group=0,
            )
        self.pid = process.pid
        if self._nice:
            with contextlib.suppress(OSError):  # a process that is gone already is noticed below
                os.setpriority(os.PRIO_PROCESS, process.pid, self._nice)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._send(Message(kind=Kind.HELLO, meta=self.options))
        self.failure, self._frozen = "its process ended", False
        self._heard, self._step_s = time.monotonic(), 0.0
        watching = asyncio.create_task(self._watch(process), name=f"watch {self.name}")
        try:
            await self._listen(reader)
        finally:
            watching.cancel()
            await self._post_mortem(process)
            self._bury()
            if process.returncode is None:
                await _end(process)

    async def _post_mortem(self, process: asyncio.subprocess.Process) -> None:
        """Let `failure` say how it died, where that shows soon after its socket closed."""
        if not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), DYING_S)
        if (process.returncode or 0) < 0 and not self._frozen:
            self.failure = f"its process was killed by signal {-(process.returncode or 0)}"

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Ask the process every half second whether it is alive; kill it when it is not."""
        began = looked = time.monotonic()
        while not self._frozen:
            await asyncio.sleep(BEAT_S)
            now = time.monotonic()
            if now - looked > 2 * BEAT_S:  # it is us who stood still: what the worker said meanwhile was not read yet
                self._heard = now
            looked = now
            if verdict := self._frozen_how(now, began):
                self.failure, self._frozen = verdict, True
                process.kill()
            elif self.is_ready:
                self._send(Message(kind=Kind.PING))

    def _frozen_how(self, now: float, began: float) -> str:
        """In words, or empty while all is well."""
        if not self.is_ready:
            return f"it was not ready after {START_S:.0f} s" if now - began > START_S else ""
        if now - self._heard > SILENT_S:
            return f"it said nothing for {SILENT_S:.0f} s"
        return f"it was at one step for {STEP_S:.0f} s" if self._step_s > STEP_S else ""

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        while data := await reader.read(RECEIVE_BYTES):
            self._heard = time.monotonic()
            for message in decoder.feed(data):
                if message.kind is Kind.READY:
                    self.facts = message.meta
                    found = {name: message.meta[name] for name in self.options if name in message.meta}
                    self.options = {**self.options, **found}  # what it chose itself, its successor need not
                    self._ready.set()
                    self._hopeless.clear()
                    self._was_ready = self._lived = True
                    self._changed(True, "")
                elif message.kind is Kind.FAILED:
                    self.failure = str(message.meta.get("error", "it could not start"))
                    if not self._was_ready:
                        self._unfit.set()
                elif message.kind is Kind.PONG:
                    self._step_s = float(message.meta.get("step_s", 0.0))
                elif pending := self._pending.get(message.request):
                    pending.answers.put_nowait(message)

    def _bury(self) -> None:
        """The process is gone: nobody waits for it any more."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        was_ready = self._ready.is_set()
        self._ready.clear()
        self.pid = None
        for pending in self._pending.values():
            pending.answers.put_nowait(None)
        if was_ready and not self._stopping:
            self._changed(False, self.failure)

    def _changed(self, ready: bool, why: str) -> None:
        self._emit(EngineChanged(engine=self.name, ready=ready, restarts=self.restarts, why=why))


class _Died(Exception):
    """The worker died with the request."""


def _error(name: str, meta: Mapping[str, Any]) -> EngineError:
    text = f"{name}: {meta.get('error', 'unknown error')}"
    if meta.get("late"):
        return EngineLate(text)
    return EngineFull(text) if meta.get("full") else EngineError(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The socket is closed, which asks the worker to end; after STOP_S it is killed."""
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
