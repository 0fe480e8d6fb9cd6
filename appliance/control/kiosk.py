"""The kiosk's HTTP API: a button, a sensor or another program begins and ends conversations, for the owner alone."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from appliance.terms.errors import BadInput

from .api import told

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Kiosk(Protocol):
    """What it can be told."""

    def tap(self) -> None: ...
    def end(self) -> None: ...
    def presence(self, *, somebody: bool) -> None: ...
    def about(self) -> dict[str, Any]: ...


class KioskApi:
    """`owner_only` is what keeps everybody else out."""

    def __init__(self, kiosk: Kiosk, owner_only: Callable[[Handler], Handler]) -> None:
        self._kiosk = kiosk
        self._owner_only = owner_only

    def routes(self) -> list[web.RouteDef]:
        def route(method: str, path: str, handler: Handler) -> web.RouteDef:
            return web.route(method, f"/api/kiosk{path}", self._owner_only(told(handler)))

        return [
            route("GET", "", self._show),
            route("POST", "/tap", self._tap),
            route("POST", "/end", self._end),
            route("POST", "/presence", self._presence),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._kiosk.about())

    async def _tap(self, request: web.Request) -> web.Response:
        self._kiosk.tap()
        return web.Response(status=204)

    async def _end(self, request: web.Request) -> web.Response:
        self._kiosk.end()
        return web.Response(status=204)

    async def _presence(self, request: web.Request) -> web.Response:
        """`{"somebody": true}`: a sensor has seen one; false: they have gone."""
        try:
            body = json.loads(await request.read())  # the server bounds it
        except ValueError:
            raise BadInput("The body is no JSON.") from None
        self._kiosk.presence(somebody=somebody(body))
        return web.Response(status=204)


def somebody(body: object) -> bool:
    """What a sensor says. Raises BadInput."""
    value = body.get("somebody") if isinstance(body, dict) else None
    if not isinstance(value, bool):
        raise BadInput("`somebody` must be true or false.")
    return value
