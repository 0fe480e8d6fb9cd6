"""The messages' HTTP API: what callers left, for the device's owner alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web

from appliance.terms.errors import BadInput

from .api import Handler, told


class Kept(Protocol):
    async def all(self) -> list[dict[str, Any]]:
        """The newest first. Raises DeviceError."""

    async def done_with(self, number: int) -> None:
        """Raises BadInput where there is no such message, DeviceError."""


class MessagesApi:
    """`owner_only` is what keeps everybody else out."""

    def __init__(self, messages: Kept, owner_only: Callable[[Handler], Handler]) -> None:
        self._messages = messages
        self._owner_only = owner_only

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/messages", self._owner_only(told(self._list))),
            web.post("/api/messages/{id}/done", self._owner_only(told(self._done))),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"messages": await self._messages.all()})

    async def _done(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        if not number.isdecimal() or len(number) > 12:
            raise BadInput("A message's id is a number.")
        await self._messages.done_with(int(number))
        return web.Response(status=204)
