"""The calls' HTTP API: what the device's calls were and are, and what can be done with them, for its owner alone."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from appliance.terms.errors import BadInput, Busy, EngineError, NotReady

from .book import CallBook

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 10_000
MAX_WORDS = 1000
MAX_ADDRESS = 300


class Phone(Protocol):
    """What a phone can do. Each raises BadInput for what makes no sense, EngineError for what came to nothing."""

    @property
    def accounts(self) -> dict[str, str]:
        """Those that should be registered, with why they are not."""

    async def dial(self, to: str, say: str) -> str: ...
    async def redirect(self, call: str, to: str, introduce: str = "") -> None: ...
    async def send_keys(self, call: str, keys: str) -> None: ...
    def hang_up(self, call: str) -> None: ...
    def mute(self, call: str, *, on: bool) -> None: ...
    def hold(self, call: str, *, on: bool) -> None: ...


class CallsApi:
    """`owner_only` is what keeps everybody else out; without a `phone` no call can be placed or handed on."""

    def __init__(self, book: CallBook, owner_only: Callable[[Handler], Handler], phone: Phone | None) -> None:
        self._book = book
        self._owner_only = owner_only
        self._phone = phone

    def routes(self) -> list[web.RouteDef]:
        verbs = {
            "redirect": self._redirect,
            "keys": self._keys,
            "hangup": _plain(lambda phone, call: phone.hang_up(call)),
            "mute": _plain(lambda phone, call: phone.mute(call, on=True)),
            "unmute": _plain(lambda phone, call: phone.mute(call, on=False)),
            "hold": _plain(lambda phone, call: phone.hold(call, on=True)),
            "resume": _plain(lambda phone, call: phone.hold(call, on=False)),
        }
        return [
            web.get("/api/calls", self._owner_only(self._list)),
            web.get("/api/calls/{id}", self._owner_only(self._show)),
            web.post("/api/calls", self._owner_only(self._told(self._dial))),
            web.get("/api/phone", self._owner_only(self._told(self._tell_phone))),
            *(
                web.post(f"/api/calls/{{id}}/{verb}", self._owner_only(self._told(handler)))
                for verb, handler in verbs.items()
            ),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"calls": self._book.calls()})

    async def _show(self, request: web.Request) -> web.Response:
        call = self._book.call(request.match_info["id"])
        return refuse(404, "call", "There is no such call.") if call is None else web.json_response(call)

    async def _tell_phone(self, request: web.Request, phone: Phone) -> web.Response:
        accounts = [
            {"account": name, "registered": not why, "why": why or None} for name, why in phone.accounts.items()
        ]
        return web.json_response({"accounts": accounts})

    async def _dial(self, request: web.Request, phone: Phone) -> web.Response:
        body = await _body(request)
        call = await phone.dial(_text(body, "to", MAX_ADDRESS), _text(body, "say", MAX_WORDS))
        return web.json_response({"call": call}, status=201, headers={"Location": f"/api/calls/{call}"})

    async def _redirect(self, request: web.Request, phone: Phone) -> web.Response:
        body = await _body(request)
        introduce = _text(body, "introduce", MAX_WORDS) if "introduce" in body else ""
        await phone.redirect(request.match_info["id"], _text(body, "to", MAX_ADDRESS), introduce)
        return web.Response(status=204)

    async def _keys(self, request: web.Request, phone: Phone) -> web.Response:
        await phone.send_keys(request.match_info["id"], _text(await _body(request), "keys", 64))
        return web.Response(status=204)

    def _told(self, handler: Callable[[web.Request, Phone], Awaitable[web.Response]]) -> Handler:
        """The handler, with its refusals as responses."""

        async def handle(request: web.Request) -> web.Response:
            if self._phone is None:
                return refuse(409, "phone", "The phone is not connected: set sip.enabled.")
            try:
                return await handler(request, self._phone)
            except BadInput as error:
                return refuse(400, "request", str(error))
            except (Busy, NotReady) as error:
                return refuse(503, "busy", str(error))
            except EngineError as error:
                return refuse(502, "phone", str(error))

        return handle


def _plain(verb: Callable[[Phone, str], None]) -> Callable[[web.Request, Phone], Awaitable[web.Response]]:
    """A verb that needs nothing but the call."""

    async def handle(request: web.Request, phone: Phone) -> web.Response:
        verb(phone, request.match_info["id"])
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
