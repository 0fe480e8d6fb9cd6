"""The worker's side of the wire: requests come in, answers go out, cancellations overtake both."""

from __future__ import annotations

import ctypes
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .wire import Decoder, Kind, Message, encode

RECEIVE_BYTES = 1 << 16
IDLE_S = 10.0
"""Longer than a caller takes to ask: the next clause should not wait for its memory."""
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to do. `deadline` is in seconds of the machine's monotonic clock."""

    id: int
    op: str
    deadline: float
    arguments: Mapping[str, Any]
    data: bytes
    priority: int = 0
    """Of requests that wait, those with the highest go first, in their order."""


@dataclass(slots=True)
class _Open:
    """What became of a request that is not answered yet."""

    cancelled: bool = False
    ahead: int = 0


class Mailbox:
    """A thread reads the socket; the engine takes requests and answers them from its own thread.

    At most `capacity` requests wait: one more is refused as `full`, and a note (a request of id 0, whose answers go
    nowhere) is dropped and counted.
    """

    def __init__(self, connection: socket.socket, capacity: int = 32) -> None:
        self._connection = connection
        self._decoder = Decoder()
        self._requests: deque[Request] = deque()
        self.capacity = capacity
        self._open: dict[int, _Open] = {}
        self._news = threading.Condition()
        """Guards all of this, and is told of every message."""
        self._fresh = False
        self._closed = False
        self.dropped = 0
        self._step_began: float | None = None
        """Since when the engine has been at work without taking, resting or sending; None while it waits."""
        self._sending = threading.Lock()
        self._held: list[Message] = []

    def hello(self) -> Mapping[str, Any]:
        """The engine's options: the first message, awaited before the reader starts."""
        while not self._held:
            data = self._connection.recv(RECEIVE_BYTES)
            if not data:
                raise EOFError("the parent closed the socket before it said hello")
            self._held = self._decoder.feed(data)
        return self._held.pop(0).meta

    def start(self) -> None:
        """Read the socket from now on, in a thread of its own."""
        threading.Thread(target=self._read, name="mailbox", daemon=True).start()

    def take(self, *, wait: bool = True, patience_s: float | None = None) -> Request | None:
        """The next request; None where there is none and `wait` is false, or `patience_s` passed without one.

        Raises EOFError when the parent is gone.
        """
        with self._news:
            self._fresh = False
            self._step_began = None
            if wait:
                self._news.wait_for(lambda: self._requests or self._closed, patience_s)
            self._step_began = time.monotonic()
            if self._requests:
                request = max(self._requests, key=lambda waiting: waiting.priority)
                self._requests.remove(request)
                return request
            if self._closed:
                raise EOFError("the parent closed the socket")
            return None

    def rest(self, timeout_s: float | None = None) -> None:
        """Wait until anything came since the last `take`: a request, a cancellation, a part that was taken."""
        with self._news:
            self._step_began = None
            self._news.wait_for(lambda: self._fresh or self._closed, timeout_s)
            self._step_began = time.monotonic()

    def cancelled(self, request: Request) -> bool:
        """Does nobody wait for this request any more?"""
        with self._news:
            return request.id in self._open and self._open[request.id].cancelled

    def ahead(self, request: Request) -> int:
        """How many parts of the answer were sent and not yet taken."""
        with self._news:
            return self._open[request.id].ahead if request.id in self._open else 0

    def part(self, request: Request, meta: Mapping[str, Any] | None = None, data: bytes = b"") -> None:
        """Send a piece of the answer."""
        with self._news:
            self._step_began = time.monotonic()
            if request.id in self._open:
                self._open[request.id].ahead += 1
        self._send(Message(kind=Kind.PART, request=request.id, meta=meta or {}, data=data))

    def done(self, request: Request, meta: Mapping[str, Any] | None = None) -> None:
        """The answer is whole."""
        self._finish(request, Kind.DONE, meta or {})

    def error(self, request: Request, error: str, **flags: bool) -> None:
        """The request failed; flags are `late` or `full`."""
        self._finish(request, Kind.ERROR, {"error": error, **flags})

    def announce(self, kind: Kind, meta: Mapping[str, Any]) -> None:
        """READY or FAILED."""
        self._send(Message(kind=kind, meta=meta))

    def _finish(self, request: Request, kind: Kind, meta: Mapping[str, Any]) -> None:
        if not request.id:
            return
        with self._news:
            self._open.pop(request.id, None)
        self._send(Message(kind=kind, request=request.id, meta=meta))

    def _send(self, message: Message) -> None:
        with self._sending:
            self._connection.sendall(encode(message))

    def _read(self) -> None:
        for message in self._held:
            self._receive(message)
        try:
            while data := self._connection.recv(RECEIVE_BYTES):
                for message in self._decoder.feed(data):
                    self._receive(message)
        except ConnectionError:
            pass  # the parent died: the same as its closing the socket
        finally:
            with self._news:
                self._closed = True
                self._news.notify_all()

    def _receive(self, message: Message) -> None:
        with self._news:
            full = len(self._requests) >= self.capacity
            match message.kind:
                case Kind.CANCEL if message.request in self._open:
                    self._open[message.request].cancelled = True
                case Kind.TAKEN if message.request in self._open:
                    self._open[message.request].ahead -= 1
                case Kind.REQUEST if not full:
                    self._open[message.request] = _Open()
                    self._requests.append(_request(message))
                case Kind.NOTE if not full:
                    self._requests.append(_request(message))
                case Kind.NOTE:
                    self.dropped += 1
            step_s = 0.0 if self._step_began is None else time.monotonic() - self._step_began
            self._fresh = True
            self._news.notify_all()
        if message.kind is Kind.PING:
            self._send(Message(kind=Kind.PONG, meta={"step_s": round(step_s, 3)}))
        if message.kind is Kind.REQUEST and full:
            meta = {"error": "the queue is full", "full": True}
            self._send(Message(kind=Kind.ERROR, request=message.request, meta=meta))


def _request(message: Message) -> Request:
    meta = dict(message.meta)
    return Request(
        id=message.request,
        op=str(meta.pop("op", "")),
        deadline=float(meta.pop("deadline", time.monotonic())),
        priority=int(meta.pop("priority", 0)),
        arguments=meta,
        data=message.data,
    )


Answer = Iterator[tuple[Mapping[str, Any], bytes]]


def serve_in_turn(mailbox: Mailbox, handle: Callable[[Request], Answer]) -> None:
    """One request after another, until the parent is gone (EOFError).

    What is cancelled or late before it starts is never started; what is cancelled on the way ends after its next part.
    A request that the engine cannot digest (ValueError, RuntimeError) fails alone. Where nothing is asked for IDLE_S,
    the memory that was freed goes back to the system.
    """
    tidy = False
    while True:
        request = mailbox.take(patience_s=None if tidy else IDLE_S)
        tidy = request is None
        if request is None:
            _LIBC.malloc_trim(0)
        elif mailbox.cancelled(request):
            mailbox.error(request, "cancelled")
        elif time.monotonic() > request.deadline:
            mailbox.error(request, "its deadline passed while it waited", late=True)
        else:
            try:
                for meta, data in handle(request):
                    if mailbox.cancelled(request):
                        break
                    mailbox.part(request, meta, data)
                mailbox.done(request)
            except (ValueError, RuntimeError) as error:
                mailbox.error(request, f"{type(error).__name__}: {error}")
