"""What the device does in the world for its callers: uses the owner's tools, puts callers through."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from appliance.control.verbs import Phone
from appliance.knowledge.filling import Tool, Use
from appliance.knowledge.people import Person
from appliance.knowledge.service import Offers
from appliance.knowledge.slots import Slot
from appliance.terms.config import ActionsConfig, Config, ToolConfig
from appliance.terms.errors import BadInput, ConfigError, SwitchedOff
from appliance.terms.events import Event, ToolUsed

from . import mcp

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
MOST_WORDS = 80
"""Of a tool's answer, so much is said."""
DONE = "That is done."
FAILED = "I'm sorry, that did not work just now. Please try again later, or ask for somebody."
INTRODUCTION = "Hello, this is {business}. I have a caller for you."
NAME = re.compile(r"^[A-Za-z][\w-]*$", re.ASCII)
SAYING = ("say", "text", "message")
"""Where a tool's JSON may have what to say."""


class Hands:
    """`phone` raises SwitchedOff where there is none. `emit` is told what tools did."""

    def __init__(
        self, config: ActionsConfig, business: str, phone: Callable[[], Phone], emit: Callable[[Event], None]
    ) -> None:
        self._tools = {tool.name: tool for tool in config.tools}
        self._business = business
        self._phone = phone
        self._emit = emit

    async def use(self, use: Use, about: Mapping[str, str]) -> str:
        tool = self._tools[use.tool]
        began, why = time.monotonic(), ""
        try:
            async with asyncio.timeout(tool.timeout_s):
                said = await _WAYS[tool.kind](tool, use.arguments, about)
        except TimeoutError:
            why = f"no answer within {tool.timeout_s:g} s"
        except BadInput as error:
            why = str(error)
        except Exception as error:  # another program's boundary: whatever it does, the call goes on
            log.warning("tool %s", use.tool, exc_info=True)
            why = type(error).__name__  # its words may repeat what a caller said, or the address
        took_ms = round((time.monotonic() - began) * 1000, 1)
        self._emit(ToolUsed(call=about["call"], tool=use.tool, done=not why, took_ms=took_ms, why=why))
        if why:
            log.warning("tool %s: %s", use.tool, why)
            return FAILED
        return shortened(said) or tool.say or DONE

    async def connect(self, call: str, person: Person) -> None:
        await self._phone().redirect(call, person.phone, INTRODUCTION.format(business=self._business))


def no_phone() -> Phone:
    raise SwitchedOff("The phone is not connected.")


def offers(config: Config) -> Offers:
    """What can be done, as the owner has configured it. Raises ConfigError with every problem of [actions]."""
    actions = config.actions
    problems = [problem for tool in actions.tools for problem in _problems(tool)]
    names = [tool.name for tool in actions.tools]
    problems += [
        f"actions.tools: there are two of the name {name}" for name in {n for n in names if names.count(n) > 1}
    ]
    people = [Person(name=person.name, phone=person.phone) for person in actions.people]
    operator = next((person for person in people if person.name == actions.operator), None)
    if actions.operator and operator is None:
        problems.append(f"actions.operator: nobody in actions.people is called {actions.operator}")
    if problems:
        raise ConfigError(problems, mend="Correct these; nothing was started.")
    return Offers(
        people=people,
        operator=operator,
        tools=[tool_of(tool) for tool in actions.tools],
        takes_messages=config.messages.take,
        checks_in=actions.check_in and config.messages.take,
        remembers=config.messages.remember_days > 0,
    )


def tool_of(config: ToolConfig) -> Tool:
    ask = tuple(Slot(name=one.name, kind=one.kind, say=one.say, choices=tuple(one.choices)) for one in config.ask)
    return Tool(name=config.name, when=tuple(config.when), ask=ask, confirm=config.confirm)


def _problems(tool: ToolConfig) -> list[str]:
    where = f"actions.tools, {tool.name}"
    found = []
    if not NAME.match(tool.name):
        found.append(f"{where}: a name is letters, digits, _ and -")
    if not _is_url(tool.url):
        found.append(f"{where}: url must be an address that begins with https:// or http://")
    if not tool.token.isprintable():
        found.append(f"{where}: the token must be one line of text")
    asked = [one.name for one in tool.ask]
    found += [f"{where}: {name}: a name is letters, digits, _ and -" for name in asked if not NAME.match(name)]
    found += [f"{where}: {name} is asked for twice" for name in sorted({n for n in asked if asked.count(n) > 1})]
    found += [
        f"{where}: {one.name} is a choice without choices"
        for one in tool.ask
        if one.kind == "choice" and not one.choices
    ]
    return found


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def webhook(tool: ToolConfig, arguments: Mapping[str, str], about: Mapping[str, str]) -> str:
    """What it says: a redirection is a refusal, and an answer of more than 64 kB an error."""
    headers = {"Authorization": f"Bearer {tool.token}"} if tool.token else {}
    body = {"tool": tool.name, "arguments": dict(arguments), **about}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(tool.url, json=body, allow_redirects=False) as response,
    ):
        if not 200 <= response.status < 300:
            raise BadInput(f"it answered {response.status}")
        data = await response.content.read(MOST_BYTES + 1)
        while len(data) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES + 1 - len(data))):
            data += more
        if len(data) > MOST_BYTES:
            raise BadInput(f"its answer is longer than {MOST_BYTES // 1024} kB")
        return said(data, response.content_type)


def said(data: bytes, kind: str) -> str:
    """What of an answer is to be said: plain text, or of JSON `say`."""
    text = data.decode("utf-8", "replace")
    if kind.endswith("json"):
        try:
            value: Any = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise BadInput("its answer is no JSON") from error
        found = next((value[key] for key in SAYING if value.get(key)), "") if isinstance(value, dict) else value
        text = found if isinstance(found, str) else ""
    elif kind != "text/plain":
        return ""
    return text.strip()


def shortened(text: str) -> str:
    """What can be listened to."""
    words = text.split()
    return " ".join(words[:MOST_WORDS]) + ("." if len(words) > MOST_WORDS else "")


_WAYS: dict[str, Callable[[ToolConfig, Mapping[str, str], Mapping[str, str]], Awaitable[str]]] = {
    "webhook": webhook,
    "mcp": mcp.ask,
}
