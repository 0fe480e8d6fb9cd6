"""A proxy that spoils what goes through it, as networks and providers do: for benchmarks and tests of fallback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

LOOPBACK = "127.0.0.1"
PIECE = 65_536

Fault = Literal["none", "black hole", "status", "stall", "cut", "drip"]


@dataclass(slots=True, kw_only=True)
class FaultProxy:
    """Between a client and a server on loopback. `fault` and the rest can be changed while it runs."""

    target: int
    port: int = 0
    fault: Fault = "none"
    latency_s: float = 0.0
    """Before each first byte of the server's."""
    status: int = 500
    """What is answered instead, where the fault is `status`."""
    after: int = 0
    """So many bytes of the server's pass before it stalls, is cut or drips."""
    drip_bytes_s: float = 50.0
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.fault == "black hole":
                await reader.read(-1)  # everything vanishes
            elif self.fault == "status":
                await self._refuse(reader, writer)
            else:
                await self._pass(reader, writer)
        except OSError:
            pass  # either side may go at any time
        finally:
            self._writers.discard(writer)
            writer.close()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(PIECE):
            body = b'{"error": {"message": "no"}}'
            head = f"HTTP/1.1 {self.status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection(LOOPBACK, self.target)
        self._writers.add(to_them)
        there = asyncio.create_task(self._copy(reader, to_them))
        try:
            await self._spoil(theirs, writer)
        finally:
            there.cancel()
            self._writers.discard(to_them)
            to_them.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                writer.write(data)
                await writer.drain()

    async def _spoil(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(PIECE):
            await asyncio.sleep(self.latency_s)
            if self.fault == "black hole":
                await asyncio.sleep(3600)
            good = data if self.fault == "none" else data[: max(0, self.after - passed)]
            writer.write(good)
            passed += len(good)
            if len(good) < len(data):
                if self.fault == "cut":
                    return
                if self.fault == "stall":
                    await asyncio.sleep(3600)
                for byte in data[len(good) :]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(1 / self.drip_bytes_s)
            await writer.drain()


@contextlib.asynccontextmanager
async def spoiled(target: int) -> AsyncIterator[FaultProxy]:
    """A proxy in front of a port of loopback."""
    proxy = FaultProxy(target=target)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
