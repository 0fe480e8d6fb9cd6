"""Messages that callers leave: kept, and sent until they have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from appliance.app import messages
from appliance.app.messages import Messages, letter
from appliance.terms.clock import SystemClock
from appliance.terms.config import MessagesConfig
from appliance.terms.errors import BadInput, ConfigError
from appliance.terms.events import MessageTaken

TAKEN = MessageTaken(call="c1", door="sip", to="Ann", text="Come.", name="Bob", number="12345")


@asynccontextmanager
async def keeping(config: MessagesConfig, state: Path) -> AsyncIterator[Messages]:
    kept = Messages(config, "The Old Mill", state, SystemClock())
    await kept.start()
    try:
        yield kept
    finally:
        await kept.stop()


@asynccontextmanager
async def webhook(handle: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(500):
        if await done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


def sent(kept: Messages, way: str) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return any(message["ways"][way]["sent"] for message in await kept.all())

    return asked


def tried(kept: Messages, problem: str) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return any(problem in told["problem"] for message in await kept.all() for told in message["ways"].values())

    return asked


async def test_a_webhook_is_sent_it_until_it_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "TRY_EVERY_S", 0.05)
    given: list[tuple[dict[str, Any], str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        given.append((await request.json(), request.headers["Authorization"], request.headers["Idempotency-Key"]))
        return web.Response(status=500 if len(given) < 3 else 204)

    async with webhook(handle) as url, keeping(MessagesConfig(webhook=url, webhook_token="s3cret"), tmp_path) as kept:
        kept.note(TAKEN)
        await until(sent(kept, "webhook"))
    assert len(given) == 3
    told, authorization, key = given[-1]
    assert {**told, "taken": ""} == {
        **{"id": 1, "kind": "message", "taken": "", "call": "c1", "door": "sip"},
        **{"to": "Ann", "text": "Come.", "name": "Bob", "number": "12345"},
    }
    assert (authorization, key) == ("Bearer s3cret", "c1-1")


async def test_what_was_not_sent_is_sent_after_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "TRY_EVERY_S", 0.05)
    async with keeping(MessagesConfig(webhook="http://127.0.0.1:9/hook"), tmp_path) as kept:
        kept.note(TAKEN)
        await until(tried(kept, "Cannot connect"))

    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    async with webhook(handle) as url, keeping(MessagesConfig(webhook=url), tmp_path) as kept:
        await until(sent(kept, "webhook"))


async def test_a_webhook_that_hangs_or_points_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(messages, "SENT_WITHIN_S", 0.2)
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/hook?again"})

    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    async with webhook(redirect) as url, keeping(MessagesConfig(webhook=url), tmp_path / "a") as kept:
        kept.note(TAKEN)
        await until(tried(kept, "answered 302"))
    assert asked == ["/hook"]
    async with (
        webhook(hang) as url,
        keeping(MessagesConfig(webhook=url, webhook_token="s3cret"), tmp_path / "b") as kept,
    ):
        kept.note(TAKEN)
        await until(tried(kept, "TimeoutError"))
    assert "s3cret" not in caplog.text
    assert "Come." not in caplog.text


class Postman:
    """A mail server, as far as a letter needs one (RFC 5321)."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mill\r\n")
        while line := (await reader.readline()).decode().strip().upper():
            if line == "DATA":
                writer.write(b"354 go on\r\n")
                self.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if line == "QUIT" else b"250 fine\r\n")
            await writer.drain()
        writer.close()


async def test_a_letter_reaches_its_mail_server(tmp_path: Path) -> None:
    postman = Postman()
    server = await asyncio.start_server(postman, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = MessagesConfig(mail_to="owner@mill.example", smtp=f"127.0.0.1:{port}", smtp_tls="off")
    async with server, keeping(config, tmp_path) as kept:
        kept.note(TAKEN)
        await until(sent(kept, "mail"))
    (found,) = postman.letters
    assert "Subject: The Old Mill: a message from Bob" in found
    assert "Come." in found
    assert "Number: 12345" in found


def test_what_a_caller_says_writes_no_head_of_a_letter() -> None:
    told = {"id": 1, "taken": "noon", "call": "c1", "door": "sip", "to": "", "number": ""}
    name = "Bob\r\nBcc: everybody@example.com"
    found = letter(MessagesConfig(mail_to="owner@mill.example"), "Mill", {**told, "name": name, "text": "Come."})
    assert found["Bcc"] is None
    assert "\n" not in found["Subject"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (MessagesConfig(webhook="file:///etc/passwd"), "messages.webhook: it must begin with https"),
        (MessagesConfig(mail_to="owner@mill.example"), "set messages.smtp"),
        (MessagesConfig(mail_to="owner", smtp="mill"), "messages.mail_to: that is no address"),
        (MessagesConfig(mail_to="a@b", smtp="mill:smtp"), "messages.smtp: it must be host or host:port"),
        (MessagesConfig(mail_to="a@b, c@d", smtp="mill"), "messages.mail_to: that is no address"),
    ],
)
def test_what_cannot_be_sent_is_told_at_the_start(config: MessagesConfig, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        Messages(config, "The Old Mill", tmp_path, SystemClock())


async def test_a_message_is_done_with_by_its_id(tmp_path: Path) -> None:
    async with keeping(MessagesConfig(), tmp_path) as kept:
        kept.note(TAKEN)

        async def there() -> bool:
            return bool(await kept.all())

        await until(there)
        await kept.done_with(1)
        assert [message["done"] for message in await kept.all()] == [True]
        with pytest.raises(BadInput, match="no such message"):
            await kept.done_with(2)
