"""The calls' API over real HTTP, with a phone that keeps what it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from appliance.control.api import CallsApi, Handler
from appliance.control.archive import Archive
from appliance.control.book import CallBook
from appliance.control.verbs import Verbs
from appliance.store.background import Background
from appliance.terms.clock import SystemClock
from appliance.terms.errors import BadInput, Busy, EngineError

CALL = "/api/calls/abc"


class Switchboard:
    """Knows one call, `abc`; it is on the phone, and held."""

    accounts = {"a@pbx.example": "", "b@pbx.example": "401 Unauthorized"}  # noqa: RUF012 - a property of the real one

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def dial(self, to: str, say: str) -> str:
        if to == "busy":
            raise Busy("All lines are taken.")
        self.asked.append(("dial", to, say))
        return "abc"

    async def redirect(self, call: str, to: str, introduce: str = "") -> None:
        if to == "nobody":
            raise EngineError("nobody did not answer")
        self._ask("redirect", call, to, introduce)

    async def send_keys(self, call: str, keys: str) -> None:
        self._ask("keys", call, keys)

    def hang_up(self, call: str) -> None:
        self._ask("hang up", call)

    async def say(self, call: str, words: str) -> None:
        self._ask("say", call, words)

    def mute(self, call: str, *, on: bool) -> None:
        self._ask("mute" if on else "unmute", call)

    def __contains__(self, call: str) -> bool:
        return call == "abc"

    def hold(self, call: str, *, on: bool) -> None:
        self._ask("hold" if on else "resume", call)

    def _ask(self, verb: str, call: str, *rest: str) -> None:
        if call != "abc":
            raise BadInput("There is no such call on the phone.")
        self.asked.append((verb, *rest))


def for_anybody(handler: Handler) -> Handler:
    return handler


async def serving(phone: Switchboard | None) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    archive = Archive(CallBook(), None, Background(), SystemClock(), words=False, days=0)
    verbs = Verbs(Switchboard() if phone is None else phone, lambda: phone)
    app.add_routes(CallsApi(archive, for_anybody, verbs).routes())
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        yield session


@pytest.fixture
def phone() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def session(phone: Switchboard) -> AsyncIterator[aiohttp.ClientSession]:
    async for session in serving(phone):
        yield session


async def test_a_call_is_placed_handed_on_and_ended(session: aiohttp.ClientSession, phone: Switchboard) -> None:
    placed = await session.post("/api/calls", json={"to": "100", "say": "Hello."})
    assert (placed.status, await placed.json(), placed.headers["Location"]) == (201, {"call": "abc"}, CALL)
    for verb, body in (
        ("redirect", {"to": "100"}),
        ("redirect", {"to": "100", "introduce": "A caller."}),
        ("keys", {"keys": "1#"}),
        ("say", {"words": "We close in five minutes."}),
        *((verb, None) for verb in ("mute", "unmute", "hold", "resume", "hangup")),
    ):
        assert (await session.post(f"{CALL}/{verb}", json=body)).status == 204
    assert phone.asked == [
        ("dial", "100", "Hello."),
        ("redirect", "100", ""),
        ("redirect", "100", "A caller."),
        ("keys", "1#"),
        ("say", "We close in five minutes."),
        *((verb,) for verb in ("mute", "unmute", "hold", "resume", "hang up")),
    ]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/api/calls", {"to": "100"}, 400, "`say`"),
        ("/api/calls", {"to": 100, "say": "x"}, 400, "`to`"),
        ("/api/calls", ["to"], 400, "object"),
        ("/api/calls", {"to": "1" * 500, "say": "x"}, 400, "longer"),
        ("/api/calls", {"to": "1", "say": "x" * 20_000}, 400, "kB"),
        ("/api/calls", {"to": "busy", "say": "x"}, 503, "taken"),
        (f"{CALL}/redirect", {}, 400, "`to`"),
        (f"{CALL}/say", {"words": " "}, 400, "`words`"),
        (f"{CALL}/redirect", {"to": "nobody"}, 502, "did not answer"),
        ("/api/calls/other/hangup", {}, 400, "no such call"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    session: aiohttp.ClientSession, phone: Switchboard, path: str, body: Any, status: int, says: str
) -> None:
    answer = await session.post(path, json=body)
    assert (answer.status, phone.asked) == (status, [])
    assert says in (await answer.json())["message"]


async def test_a_body_that_is_no_json(session: aiohttp.ClientSession) -> None:
    assert (await session.post("/api/calls", data=b"\xff{")).status == 400


async def test_the_accounts_are_told(session: aiohttp.ClientSession) -> None:
    accounts = (await (await session.get("/api/phone")).json())["accounts"]
    assert [(a["account"], a["registered"], a["why"]) for a in accounts] == [
        ("a@pbx.example", True, None),
        ("b@pbx.example", False, "401 Unauthorized"),
    ]


async def test_without_a_phone_nothing_can_be_called() -> None:
    async for session in serving(None):
        answer = await session.post("/api/calls", json={"to": "100", "say": "Hello."})
        assert answer.status == 409
        assert "sip.enabled" in (await answer.json())["message"]
