"""Servers that speak as the real providers do, byte for byte as their references print it (golden/)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

GOLDEN = Path(__file__).parent / "golden"
TONE = (8000 * np.sin(np.arange(24_000) / 20)).astype("<i2")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Asked:
    """What a server was asked, and how to reach it."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


@contextlib.asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[str]:
    """The address of a server with these handlers, whose names are their paths, `_` for `/`, for GET and POST."""
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_route("*", "/v1/" + name.replace("__", "-").replace("_", "/"), handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def playing(name: str, path: str) -> AsyncIterator[Asked]:
    """One that answers every request with a golden file, in pieces that respect nothing."""
    asked = Asked()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.headers.append(dict(request.headers))
        asked.bodies.append(json.loads(await request.read()))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        data = golden(name)
        for start in range(0, len(data), 97):
            await response.write(data[start : start + 97])
        return response

    async with serving(**{path: answer}) as asked.url:
        yield asked
