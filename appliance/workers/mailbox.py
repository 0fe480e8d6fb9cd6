"""The worker's side of the wire: requests come in, answers go out, cancellations overtake both."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .wire import Decoder, Kind, Message, encode

RECEIVE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to do. `deadline` is in seconds of the machine's monotonic clock."""

    id: int
    op: str
    deadline: float
    arguments: Mapping[str, Any]
    data: bytes


class Mailbox:
    """A thread reads the socket; the engine takes requests in order and answers them from its own thread.

    At most `capacity` requests wait: one more is refused as `full`.
    """

    def __init__(self, connection: socket.socket, capacity: int = 32) -> None:
        self._connection = connection
        self._decoder = Decoder()
        self._requests: queue.Queue[Request | None] = queue.Queue()
        self._capacity = capacity
        self._cancelled: set[int] = set()
        self._known: set[int] = set()
        self._lock = threading.Lock()
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

    def take(self, *, wait: bool = True) -> Request | None:
        """The next request; None where `wait` is false and there is none. Raises EOFError when the parent is gone."""
        try:
            request = self._requests.get(block=wait)
        except queue.Empty:
            return None
        if request is None:
            self._requests.put(None)
            raise EOFError("the parent closed the socket")
        return request

    def cancelled(self, request: Request) -> bool:
        """Does nobody wait for this request any more?"""
        with self._lock:
            return request.id in self._cancelled

    def part(self, request: Request, meta: Mapping[str, Any] | None = None, data: bytes = b"") -> None:
        """Send a piece of the answer."""
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
        with self._lock:
            self._known.discard(request.id)
            self._cancelled.discard(request.id)
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
            self._requests.put(None)

    def _receive(self, message: Message) -> None:
        if message.kind is Kind.CANCEL:
            with self._lock:
                if message.request in self._known:
                    self._cancelled.add(message.request)
            return
        meta = dict(message.meta)
        request = Request(
            id=message.request,
            op=str(meta.pop("op", "")),
            deadline=float(meta.pop("deadline", time.monotonic())),
            arguments=meta,
            data=message.data,
        )
        if self._requests.qsize() >= self._capacity:
            self._send(Message(kind=Kind.ERROR, request=request.id, meta={"error": "the queue is full", "full": True}))
            return
        with self._lock:
            self._known.add(request.id)
        self._requests.put(request)


Answer = Iterator[tuple[Mapping[str, Any], bytes]]


def serve_in_turn(mailbox: Mailbox, handle: Callable[[Request], Answer]) -> None:
    """One request after another, until the parent is gone (EOFError).

    What is cancelled or late before it starts is never started; what is cancelled on the way ends after its next part.
    A request that the engine cannot digest (ValueError, RuntimeError) fails alone.
    """
    while True:
        request = mailbox.take()
        assert request is not None
        if mailbox.cancelled(request):
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
