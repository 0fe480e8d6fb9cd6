"""The calls' HTTP API: what the device's calls were and are, and what can be done with them, for its owner alone."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from appliance.terms.errors import BadInput, Busy, EngineError, NotReady, OwnerError, SwitchedOff

from .archive import Archive
from .verbs import Verbs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 10_000
MAX_WORDS = 1000
MAX_ADDRESS = 300


class CallsApi:
    """`owner_only` is what keeps everybody else out."""

    def __init__(self, archive: Archive, owner_only: Callable[[Handler], Handler], verbs: Verbs) -> None:
        self._archive = archive
        self._owner_only = owner_only
        self._verbs = verbs

    def routes(self) -> list[web.RouteDef]:
        def route(method: str, path: str, handler: Handler) -> web.RouteDef:
            return web.route(method, path, self._owner_only(told(handler)))

        verbs = self._verbs
        plain: dict[str, Callable[[str], None]] = {
            "hangup": verbs.hang_up,
            "mute": lambda call: verbs.held.mute(call, on=True),
            "unmute": lambda call: verbs.held.mute(call, on=False),
            "hold": lambda call: verbs.phone.hold(call, on=True),
            "resume": lambda call: verbs.phone.hold(call, on=False),
        }
        one = "/api/calls/{id}"
        return [
            route("GET", "/api/calls", self._list),
            route("GET", one, self._show),
            route("POST", "/api/calls", self._dial),
            route("GET", "/api/phone", self._tell_phone),
            route("POST", f"{one}/redirect", self._redirect),
            route("POST", f"{one}/keys", self._keys),
            route("POST", f"{one}/say", self._say),
            *(route("POST", f"{one}/{name}", _plain(verb)) for name, verb in plain.items()),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": await self._archive.calls()})

    async def _show(self, request: web.Request) -> web.Response:
        call = await self._archive.call(request.match_info["id"])
        return refuse(404, "call", "There is no such call.") if call is None else web.json_response(call)

    async def _tell_phone(self, request: web.Request) -> web.Response:
        known = self._verbs.phone.accounts
        accounts = [{"account": name, "registered": not why, "why": why or None} for name, why in known.items()]
        return web.json_response({"accounts": accounts})

    async def _dial(self, request: web.Request) -> web.Response:
        body = await _body(request)
        call = await self._verbs.phone.dial(_text(body, "to", MAX_ADDRESS), _text(body, "say", MAX_WORDS))
        return web.json_response({"call": call}, status=201, headers={"Location": f"/api/calls/{call}"})

    async def _redirect(self, request: web.Request) -> web.Response:
        body = await _body(request)
        introduce = _text(body, "introduce", MAX_WORDS) if "introduce" in body else ""
        await self._verbs.phone.redirect(request.match_info["id"], _text(body, "to", MAX_ADDRESS), introduce)
        return web.Response(status=204)

    async def _keys(self, request: web.Request) -> web.Response:
        await self._verbs.phone.send_keys(request.match_info["id"], _text(await _body(request), "keys", 64))
        return web.Response(status=204)

    async def _say(self, request: web.Request) -> web.Response:
        words = _text(await _body(request), "words", MAX_WORDS)
        await self._verbs.held.say(request.match_info["id"], words)
        return web.Response(status=204)


def told(handler: Handler) -> Handler:
    """The handler, with its refusals as responses."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadInput as error:
            return refuse(400, "request", str(error))
        except SwitchedOff as error:
            return refuse(409, "phone", str(error))
        except (Busy, NotReady) as error:
            return refuse(503, "busy", str(error))
        except EngineError as error:
            return refuse(502, "engine", str(error))
        except OwnerError as error:
            return refuse(503, "device", str(error))

    return handle


def _plain(verb: Callable[[str], None]) -> Handler:
    """A verb that needs nothing but the call."""

    async def handle(request: web.Request) -> web.Response:
        verb(request.match_info["id"])
        return web.Response(status=204)

    return handle


def refuse(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": code, "message": message}, status=status)


async def _body(request: web.Request) -> dict[str, Any]:
    data = await request.content.read(MAX_BODY + 1)
    if len(data) > MAX_BODY:
        raise BadInput(f"The body is larger than {MAX_BODY // 1000} kB.")
    try:
        body = json.loads(data)
    except ValueError:
        raise BadInput("The body is no JSON.") from None
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    return body


def _text(body: dict[str, Any], key: str, most: int) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"`{key}` is missing: it must be text.")
    if len(value) > most:
        raise BadInput(f"`{key}` is longer than {most} characters.")
    return value
