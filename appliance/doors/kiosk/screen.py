"""`/kiosk/events`: what the kiosk's screens are told, and the two things that they say."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

MOST_SCREENS = 8
MOST_UNSENT = 200
"""A screen that takes nothing for so long is hung up on: it comes again, and is told how things stand."""
MOST_REMEMBERED = 60
"""Captions of the present conversation, for a screen that comes in the middle of it."""
MOST_MESSAGE = 1000
HEARTBEAT_S = 5.0

Message = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Screen:
    """All the screens there are. `say` is told what a visitor presses: `tap` or `end`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._status: Message = {}
        self._said: deque[Message] = deque(maxlen=MOST_REMEMBERED)
        self._screens: set[asyncio.Queue[Message]] = set()
        self._sockets: set[web.WebSocketResponse] = set()

    def routes(self, own_screen: Callable[[Handler], Handler]) -> list[web.RouteDef]:
        """`own_screen` is what keeps everybody else out."""
        return [web.get("/kiosk/events", own_screen(self._come))]

    @property
    def watched(self) -> bool:
        """Is there one?"""
        return bool(self._screens)

    def stand(self, status: Message) -> None:
        """How the kiosk stands, now and for whoever comes later. Without a conversation, nothing of one is kept."""
        if not status.get("call"):
            self._said.clear()
        self._status = status
        self.tell(status)

    def tell(self, message: Message, *, keep: bool = False) -> None:
        """`keep`: as long as the conversation lasts."""
        if keep:
            self._said.append(message)
        for screen in tuple(self._screens):
            if screen.full():
                self._screens.discard(screen)
            else:
                screen.put_nowait(message)

    async def close(self) -> None:
        """Hang up on all of them: they come again until somebody answers."""
        await asyncio.gather(*(socket.close() for socket in tuple(self._sockets)), return_exceptions=True)

    async def _come(self, request: web.Request) -> web.StreamResponse:
        if len(self._screens) >= MOST_SCREENS:
            return web.json_response({"error": "busy", "message": "There are enough screens."}, status=503)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_MESSAGE)
        await socket.prepare(request)
        unsent: asyncio.Queue[Message] = asyncio.Queue(MOST_UNSENT)
        for known in (self._status, *self._said):
            unsent.put_nowait(known)
        self._screens.add(unsent)
        self._sockets.add(socket)
        sending = asyncio.create_task(self._send(socket, unsent))
        try:
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    self._take(received.data)
        finally:
            self._screens.discard(unsent)
            self._sockets.discard(socket)
            sending.cancel()
        return socket

    async def _send(self, socket: web.WebSocketResponse, unsent: asyncio.Queue[Message]) -> None:
        with suppress(ConnectionError):
            while unsent in self._screens:
                await socket.send_str(json.dumps(await unsent.get()))
        await socket.close()

    def _take(self, text: str) -> None:
        with suppress(ValueError):
            message = json.loads(text)
            if isinstance(message, dict) and message.get("type") in ("tap", "end"):
                self._say(str(message["type"]))
