"""Calls in which something is to be done: what the caller says when asked for what, and what should come of it.

A folder with `calls.toml`: of each business what its owner has configured, and a list of

    [[call]]
    business = "clinic"
    door = "sip"
    now = "2026-03-10T10:15"
    first = "Could I come in for a check-up on Thursday?"
    answers = { time = "Half past three.", check = "Yes.", check2 = "Yes." }      # to what is asked for, by its name
    tool = "book_appointment"       # or `connect`, `arrived`, `message`; empty: nothing is to be done
    expect = { time = "15:30", name = "smith" }             # names and texts are patterns
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.knowledge import filling
from appliance.knowledge.answer import Answer, Context, Form
from appliance.knowledge.filling import Filling, Tool
from appliance.knowledge.people import Connect, Person
from appliance.knowledge.slots import Slot
from appliance.knowledge.taking import Message, Taking
from appliance.knowledge.visiting import Arrived
from appliance.terms.errors import BadInput

FILE = "calls.toml"
MOST_TURNS = 14
PATTERNS = ("name", "text")
PHONE = "100"
"""Where the people of such a business are reached."""

Find = Callable[[str, Context], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What an owner has configured."""

    people: tuple[Person, ...]
    operator: Person | None
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    business: str
    door: str
    now: datetime
    first: str
    answers: Mapping[str, str]
    tool: str
    expect: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call."""

    tool: str
    arguments: Mapping[str, str]
    said: tuple[str, ...]
    """What both said, in turn."""


def load(folder: Path) -> tuple[dict[str, House], list[Call]]:
    """Raises BadInput naming the file and what is wrong with it."""
    path = folder / FILE
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))
        houses = {name: _house(row) for name, row in rows["business"].items()}
        calls = [Call(**{**row, "now": datetime.fromisoformat(row["now"])}) for row in rows["call"]]
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise BadInput(f"{path}: {error}") from error
    if strangers := {call.business for call in calls} - set(houses):
        raise BadInput(f"{path}: there is no [business.{min(strangers)}]")
    return houses, calls


async def play(call: Call, find: Find) -> Outcome:
    """Hold it: each thing that is asked for is answered."""
    form: Form | None = None
    words, asked, said, checks = call.first, "", list[str](), 0
    for _ in range(MOST_TURNS):
        answer = await find(words, Context(asked=asked, said=said[-1] if said else "", form=form, door=call.door))
        said += [words, answer.text if answer is not None else ""]
        if answer is None:
            break
        if answer.use is not None:
            return Outcome(tool=answer.use.tool, arguments=answer.use.arguments, said=tuple(said))
        if (done := _done(answer)) is not None:
            return Outcome(tool=done[0], arguments=done[1], said=tuple(said))
        form, asked = answer.form, words
        wanted = _wanted(form)
        if isinstance(form, Taking) and wanted != "offer":  # how messages are taken is judged elsewhere
            return Outcome(tool="message", arguments={}, said=tuple(said))
        if wanted in (filling.CHECK, filling.WHICH):
            checks += 1
            wanted = "check" if checks == 1 else "check2"
        if isinstance(form, Filling) and wanted == filling.OFFER:
            words = "Yes, please." if form.tool.name == call.tool else "No."
        elif wanted in call.answers:
            words = call.answers[wanted]
        else:
            break
    return Outcome(tool="", arguments={}, said=tuple(said))


def right(call: Call, outcome: Outcome, house: House) -> bool:
    """The right tool, with the right arguments."""
    if outcome.tool != call.tool:
        return False
    slots = {slot.name: slot for tool in house.tools if tool.name == call.tool for slot in tool.ask}
    return all(
        _fits(slots[name].kind if name in slots else "name", wanted, outcome.arguments.get(name, ""))
        for name, wanted in call.expect.items()
    )


def _fits(kind: str, wanted: str, got: str) -> bool:
    if kind in PATTERNS:
        plain = re.sub(r"\b(?:dr|doctor)\b\.? ?", "", got.lower())
        return re.search(wanted.lower().removeprefix("dr "), plain) is not None
    return wanted == got


def _wanted(form: Form | None) -> str:
    return "" if form is None else form.wanted


def _done(answer: Answer) -> tuple[str, dict[str, str]] | None:
    match answer.act:
        case Connect(person=person):
            return "connect", {"person": person.name}
        case Arrived(host=host, name=name):
            return "arrived", {"host": host, "name": name}
        case Message():
            return "message", {}
    return None


def _house(row: Mapping[str, Any]) -> House:
    people = tuple(Person(name=name, phone=PHONE) for name in row.get("people", ()))
    tools = tuple(
        Tool(
            name=tool["name"],
            when=tuple(tool["when"]),
            ask=tuple(Slot(**{**ask, "choices": tuple(ask.get("choices", ()))}) for ask in tool.get("ask", ())),
            confirm=tool.get("confirm", True),
        )
        for tool in row.get("tools", ())
    )
    operator = next((person for person in people if person.name == row.get("operator")), None)
    return House(people=people, operator=operator, tools=tools)
