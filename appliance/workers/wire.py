"""How parent and worker speak: length-prefixed messages, pure.

    ┌────────────┬──────┬─────────────┬─────────────┬──────────────┬───────┐
    │ request id │ kind │ meta length │ data length │ meta (JSON)  │ data  │
    │ u32        │ u8   │ u32         │ u32         │              │ bytes │
    └────────────┴──────┴─────────────┴─────────────┴──────────────┴───────┘

Integers are big-endian. `data` carries PCM as raw little-endian int16, or nothing. Requests are numbered by the parent,
from 1; what is no part of a request (HELLO, READY, FAILED, NOTE …) carries 0.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

HEADER = struct.Struct("!IBII")
MAX_META = 4 * 1024 * 1024
MAX_DATA = 32 * 1024 * 1024


class WireError(Exception):
    """The other side sent something that is not a message."""


class Kind(IntEnum):
    """What a message is; the first three start a worker, the rest serve it."""

    HELLO = 1  # parent → worker: the engine's options
    READY = 2  # worker → parent: warm; meta says facts (a voice's rate, …)
    FAILED = 3  # worker → parent: it cannot start, and why
    REQUEST = 4  # parent → worker: meta has `op` and `deadline` (monotonic seconds) and the operation's arguments
    CANCEL = 5  # parent → worker: nobody waits for this request any more
    PART = 6  # worker → parent: one piece of the answer
    DONE = 7  # worker → parent: the answer is whole
    ERROR = 8  # worker → parent: the request failed; meta says `error` and `late` or `full`
    TAKEN = 9  # parent → worker: one more part was taken; an engine may wait for it before it makes the next
    PING = 10  # parent → worker: are you there?
    PONG = 11  # worker → parent: yes; meta says for how long the engine has been at one step, `step_s`
    NOTE = 12  # parent → worker: as a request, but nobody waits for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    kind: Kind
    request: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""


def encode(message: Message) -> bytes:
    """The message as bytes. Raises WireError where it is too large to send."""
    meta = json.dumps(dict(message.meta)).encode() if message.meta else b""
    if len(meta) > MAX_META or len(message.data) > MAX_DATA:
        raise WireError(f"a {message.kind.name} of {len(meta)} + {len(message.data)} bytes is too large")
    return HEADER.pack(message.request, message.kind, len(meta), len(message.data)) + meta + message.data


class Decoder:
    """Bytes in, whole messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`. Raises WireError on lengths out of bounds, unknown kinds or bad JSON."""
        self._buffer += data
        messages: list[Message] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        if len(self._buffer) < HEADER.size:
            return None
        request, kind, meta_size, data_size = HEADER.unpack_from(self._buffer)
        if meta_size > MAX_META or data_size > MAX_DATA:
            raise WireError(f"a message of {meta_size} + {data_size} bytes is announced")
        end = HEADER.size + meta_size + data_size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        try:
            meta = json.loads(body[:meta_size]) if meta_size else {}
            return Message(kind=Kind(kind), request=request, meta=meta, data=body[meta_size:])
        except ValueError as error:
            raise WireError(f"message {kind} of request {request}: {error}") from error
