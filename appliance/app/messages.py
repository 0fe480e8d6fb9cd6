"""Messages that callers leave: kept, shown to the owner, and sent where the owner wants them."""

from __future__ import annotations

import asyncio
import logging
import re
import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from appliance.store.background import Background
from appliance.store.messages import Delivery, MessageStore
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.config import MessagesConfig
from appliance.terms.errors import BadInput, ConfigError, DeviceError
from appliance.terms.events import Event, MessageTaken, VisitorArrived, as_json

log = logging.getLogger(__name__)

FILE = "messages.db"
SENT_WITHIN_S = 10.0
TRY_EVERY_S = 30.0
LONGEST_WAIT_S = 3600.0
DOUBLED = 7
"""So often the wait is doubled: by then it is the longest."""
SHOWN = 200
ADDRESS = re.compile(r"^[^\s@<>,;]+@[^\s@<>,;]+$", re.ASCII)
SERVER = re.compile(r"^[\w.-]+(?::\d{1,5})?$", re.ASCII)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Messages:
    """Fed with every event. A message is on the disk before it is sent, and sent until it has arrived: by each way at
    least once."""

    def __init__(self, config: MessagesConfig, business: str, state: Path, clock: Clock) -> None:
        """Raises ConfigError where they cannot be sent as configured, DeviceError where they cannot be kept."""
        if problems := _problems(config):
            raise ConfigError(problems)
        self._clock = clock
        self._store = MessageStore(state / FILE)
        self._background = Background()
        self._ways: dict[str, Send] = {}
        if config.webhook:
            self._ways["webhook"] = partial(post, config)
        if config.mail_to:
            self._ways["mail"] = partial(mail, config, business)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, event: Event) -> None:
        if isinstance(event, MessageTaken | VisitorArrived):
            self._background.do(partial(self._keep, event, rfc3339(self._clock.utc())))

    async def all(self) -> list[dict[str, Any]]:
        """The newest first. Raises DeviceError."""
        return await asyncio.to_thread(self._store.messages, SHOWN)

    async def done_with(self, number: int) -> None:
        """Raises BadInput where there is no such message, DeviceError."""
        if not await asyncio.to_thread(self._store.done_with, number):
            raise BadInput("There is no such message.")

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._background.start()
        self._task = asyncio.create_task(self._deliver(), name="messages")

    async def stop(self) -> None:
        """What is not sent is sent after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await asyncio.to_thread(self._background.stop)
        self._store.close()

    def _keep(self, event: MessageTaken | VisitorArrived, taken: str) -> None:
        values = as_message(event)
        self._store.keep(values, taken, tuple(self._ways))
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _deliver(self) -> None:
        while True:
            self._wake.clear()
            try:
                for delivery in await asyncio.to_thread(self._store.due, rfc3339(self._clock.utc())):
                    await self._send(delivery)
            except DeviceError as error:
                log.error("%s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(TRY_EVERY_S):
                    await self._wake.wait()

    async def _send(self, delivery: Delivery) -> None:
        send = self._ways.get(delivery.way)
        if send is None:
            problem = "it is no longer configured"
        else:
            try:
                async with asyncio.timeout(SENT_WITHIN_S):
                    await send(delivery.message)
            except (OSError, aiohttp.ClientError, smtplib.SMTPException, BadInput) as error:
                problem = str(error) or type(error).__name__  # a TimeoutError is an OSError
            else:
                await asyncio.to_thread(self._store.sent, delivery, rfc3339(self._clock.utc()))
                return
        log.warning("message %d could not be sent by %s: %s", delivery.id, delivery.way, problem)
        wait_s = min(LONGEST_WAIT_S, TRY_EVERY_S * 2 ** min(delivery.tries, DOUBLED))
        again = rfc3339(self._clock.utc() + timedelta(seconds=wait_s))
        await asyncio.to_thread(self._store.not_sent, delivery, problem, again)


def as_message(event: MessageTaken | VisitorArrived) -> dict[str, Any]:
    """A visitor is a message, too."""
    told = as_json(event)
    kind = told.pop("type")
    if isinstance(event, VisitorArrived):
        text = f"{event.name} is here to see {told.pop('host') or 'somebody'}."
        told |= {"to": event.host, "text": text[:1].upper() + text[1:], "number": ""}
    return {"kind": kind, **told}


async def post(config: MessagesConfig, message: dict[str, Any]) -> None:
    """To the owner's webhook, and nowhere else: a redirection is a refusal."""
    headers = {"Idempotency-Key": f"{message['call']}-{message['id']}"}
    if config.webhook_token:
        headers["Authorization"] = f"Bearer {config.webhook_token}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(config.webhook, json=message, allow_redirects=False) as response,
    ):
        if not 200 <= response.status < 300:
            raise BadInput(f"the webhook answered {response.status}")


async def mail(config: MessagesConfig, business: str, message: dict[str, Any]) -> None:
    await asyncio.to_thread(_mail, config, letter(config, business, message))


def letter(config: MessagesConfig, business: str, message: dict[str, Any]) -> EmailMessage:
    found = EmailMessage()
    found["From"] = config.mail_from or config.mail_to
    found["To"] = config.mail_to
    visitor = message.get("kind") == "visitor"
    who = _line(message["name"] or "a caller")
    found["Subject"] = f"{business}: {_line(message['text']) if visitor else f'a message from {who}'}"
    found["Message-ID"] = f"<{message['call']}-{message['id']}@frontdesk.invalid>"
    told = {"For": message["to"], "From": message["name"], "Number": message["number"], "Taken": message["taken"]}
    head = "\n".join(f"{name}: {value}" for name, value in told.items() if value)
    found.set_content(f"{message['text']}\n\n{head}\n")
    return found


def _mail(config: MessagesConfig, found: EmailMessage) -> None:
    host, _, port = config.smtp.partition(":")
    secure = config.smtp_tls == "tls"
    context = ssl.create_default_context()
    connect = partial(smtplib.SMTP_SSL, context=context) if secure else smtplib.SMTP
    name = socket.gethostname()  # else smtplib asks the network for it, and may wait long
    with connect(host, int(port or (465 if secure else 587)), local_hostname=name, timeout=SENT_WITHIN_S) as server:
        if config.smtp_tls == "starttls":
            server.starttls(context=context)
        if config.smtp_user:
            server.login(config.smtp_user, config.smtp_password)
        server.send_message(found)


def _problems(config: MessagesConfig) -> list[str]:
    found = []
    if config.webhook and not config.webhook.startswith(("http://", "https://")):
        found.append("messages.webhook: it must begin with https:// or http://")
    if config.mail_to and not config.smtp:
        found.append("messages.mail_to: e-mail needs a mail server: set messages.smtp")
    if config.smtp and not SERVER.match(config.smtp):
        found.append("messages.smtp: it must be host or host:port")
    found += [
        f"messages.{key}: that is no address"
        for key, value in (("mail_to", config.mail_to), ("mail_from", config.mail_from))
        if value and not ADDRESS.match(value)
    ]
    return found


def _line(text: str) -> str:
    """What a caller says may not write a letter's head."""
    return " ".join(text.split())[:80]
