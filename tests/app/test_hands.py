"""The owner's tools, against a program that answers as it should, and as it should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from aiohttp import web
from mcp.server import MCPServer

from appliance.app.hands import DONE, FAILED, Hands, no_phone, offers, said, shortened
from appliance.knowledge.filling import Use
from appliance.knowledge.people import Person
from appliance.terms.config import ActionsConfig, AskConfig, Config, PersonConfig, ToolConfig
from appliance.terms.errors import BadInput, ConfigError, SwitchedOff
from appliance.terms.events import Event, ToolUsed

ABOUT = {"call": "c1", "door": "sip", "caller": "+4930123456", "desk": ""}
BOOK = Use(tool="book", arguments={"date": "2026-03-12", "name": "Ann"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """A program on a free port."""
    app = web.Application()
    app.router.add_post("/hook", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def used(handler: Handler, **config: Any) -> tuple[str, ToolUsed]:
    """What is said of it, and what is told."""
    events: list[Event] = []
    async with served(handler) as url:
        tool = ToolConfig(name="book", url=url, when=["I need an appointment."], **config)
        hands = Hands(ActionsConfig(tools=[tool]), "The Old Mill", no_phone, events.append)
        text = await hands.use(BOOK, ABOUT)
    assert len(events) == 1
    assert isinstance(events[0], ToolUsed)
    return text, events[0]


async def test_a_webhook_is_told_what_was_understood_and_its_words_are_said() -> None:
    asked: list[tuple[dict[str, Any], str]] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append((await request.json(), request.headers.get("Authorization", "")))
        return web.json_response({"say": "You are booked for Thursday."})

    text, event = await used(handle, token="s3cret")
    assert text == "You are booked for Thursday."
    assert asked == [({"tool": "book", "arguments": dict(BOOK.arguments), **ABOUT}, "Bearer s3cret")]
    assert (event.done, event.why) == (True, "")


async def test_who_says_nothing_has_done_it() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=204)

    assert (await used(handle))[0] == DONE
    assert (await used(handle, say="You are booked."))[0] == "You are booked."


async def test_a_tool_that_hangs_fails_in_time() -> None:
    async def handle(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    text, event = await used(handle, timeout_s=0.5)
    assert text == FAILED
    assert "within 0.5 s" in event.why


async def test_a_redirection_is_not_followed() -> None:
    reached = []

    async def handle(request: web.Request) -> web.Response:
        reached.append(request.query_string)
        raise web.HTTPFound(f"{request.url}?elsewhere")

    text, event = await used(handle)
    assert (text, reached) == (FAILED, [""])
    assert "302" in event.why


async def test_a_megabyte_is_not_read() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text="word " * 200_000)

    text, event = await used(handle)
    assert text == FAILED
    assert "64 kB" in event.why


async def test_who_is_not_there_is_said_to_have_failed() -> None:
    tool = ToolConfig(name="book", url="http://127.0.0.1:9/hook", when=["Book."])
    hands = Hands(ActionsConfig(tools=[tool]), "The Old Mill", no_phone, lambda event: None)
    assert await hands.use(BOOK, ABOUT) == FAILED


@asynccontextmanager
async def mcp_server() -> AsyncIterator[str]:
    """A real one, on a free port."""
    server = MCPServer("The Old Mill")

    @server.tool()
    async def book(date: str, name: str) -> str:
        """Book a visit."""
        return f"{name} is booked for {date}."

    @server.tool()
    async def broken() -> str:
        """Never works."""
        raise ValueError("the diary is lost")

    config = uvicorn.Config(server.streamable_http_app(), host="127.0.0.1", port=0, log_level="warning")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    try:
        while not running.started:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        running.should_exit = True
        await task


async def asked_of_mcp(name: str, url: str = "") -> tuple[str, ToolUsed]:
    events: list[Event] = []
    async with mcp_server() as here:
        tool = ToolConfig(name=name, url=url or here, when=["I need an appointment."], kind="mcp")
        hands = Hands(ActionsConfig(tools=[tool]), "The Old Mill", no_phone, events.append)
        text = await hands.use(Use(tool=name, arguments=BOOK.arguments if name == "book" else {}), ABOUT)
    assert isinstance(events[0], ToolUsed)
    return text, events[0]


async def test_a_tool_of_an_mcp_server_is_used() -> None:
    text, event = await asked_of_mcp("book")
    assert (text, event.done) == ("Ann is booked for 2026-03-12.", True)


@pytest.mark.parametrize("name", ["broken", "unknown"])
async def test_a_tool_of_an_mcp_server_that_fails_is_told_and_its_words_stay_here(name: str) -> None:
    text, event = await asked_of_mcp(name)
    assert text == FAILED
    assert event.why
    assert "diary" not in event.why


async def test_an_mcp_server_that_is_not_there_has_failed() -> None:
    text, event = await asked_of_mcp("book", "http://127.0.0.1:9/mcp")
    assert text == FAILED
    assert not event.done


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b'{"say": "Hello."}', "application/json", "Hello."),
        (b'{"message": "Hello."}', "application/json", "Hello."),
        (b'{"say": 4}', "application/json", ""),
        (b"[1, 2]", "application/json", ""),
        (b"", "application/json", ""),
        (b"Hello, you.\n", "text/plain", "Hello, you."),
        (b"<p>Hello</p>", "text/html", ""),
        (b"\xff\xfe", "text/plain", "\ufffd\ufffd"),
    ],
)
def test_what_of_an_answer_is_said(data: bytes, kind: str, text: str) -> None:
    assert said(data, kind) == text


def test_a_long_answer_is_cut_and_what_is_no_json_is_an_error() -> None:
    assert len(shortened("word " * 500).split()) == 80
    with pytest.raises(BadInput, match="no JSON"):
        said(b"{", "application/json")


async def test_a_caller_is_put_through_by_the_phone_with_an_introduction() -> None:
    asked: list[tuple[str, str, str]] = []

    class Phone:
        @property
        def accounts(self) -> dict[str, str]:
            return {}

        async def dial(self, to: str, say: str) -> str:
            raise NotImplementedError

        async def redirect(self, call: str, to: str, introduce: str = "") -> None:
            asked.append((call, to, introduce))

        async def send_keys(self, call: str, keys: str) -> None: ...
        def hang_up(self, call: str) -> None: ...
        def hold(self, call: str, *, on: bool) -> None: ...

    hands = Hands(ActionsConfig(), "The Old Mill", Phone, lambda event: None)
    await hands.connect("c1", Person(name="Ann", phone="101"))
    assert asked == [("c1", "101", "Hello, this is The Old Mill. I have a caller for you.")]
    with pytest.raises(SwitchedOff):
        await Hands(ActionsConfig(), "", no_phone, lambda event: None).connect("c1", Person(name="Ann", phone="101"))


def test_every_mistake_of_the_owner_is_named() -> None:
    bad = ToolConfig(
        name="1st!",
        url="ftp://example.org",
        when=["Book."],
        ask=[AskConfig(name="what", kind="choice"), AskConfig(name="what")],
    )
    actions = ActionsConfig(people=[PersonConfig(name="Ann")], operator="Bob", tools=[bad, bad])
    with pytest.raises(ConfigError) as error:
        offers(Config(actions=actions))
    told = "\n".join(error.value.problems)
    for part in ("a name is letters", "begins with https", "asked for twice", "without choices", "two of", "Bob"):
        assert part in told
