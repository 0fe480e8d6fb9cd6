"""`GET /api/calls` and `GET /api/calls/{id}`: what the device's calls were, for its owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from .book import CallBook

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CallsApi:
    """`owner_only` is what keeps everybody else out."""

    def __init__(self, book: CallBook, owner_only: Callable[[Handler], Handler]) -> None:
        self._book = book
        self._owner_only = owner_only

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/calls", self._owner_only(self._list)),
            web.get("/api/calls/{id}", self._owner_only(self._show)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": self._book.calls()})

    async def _show(self, request: web.Request) -> web.Response:
        call = self._book.call(request.match_info["id"])
        if call is None:
            return web.json_response({"error": "call", "message": "There is no such call."}, status=404)
        return web.json_response(call)
