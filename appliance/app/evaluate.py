"""`frontdesk eval DIR …`: is what the agent answers right, and does it do what is wanted? Each question is asked of the
real agent, each call is held with it, and what comes of it is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.bench import dialogues
from appliance.bench.business import KINDS, Business, Question
from appliance.bench.words import word_errors
from appliance.dsp import soundfile
from appliance.engines.contracts import Recogniser
from appliance.flow.agent import Agent, Memory
from appliance.flow.attentive import Attentive
from appliance.knowledge import intents
from appliance.knowledge.clerk import Clerk
from appliance.knowledge.index import Index
from appliance.knowledge.service import Offers
from appliance.terms.config import Config

from .desk import role
from .engines import EngineRoom
from .knowledge import open_clerk

READY_WITHIN_S = 120.0
MOST_TOKENS = 80


@dataclass(slots=True)
class Asked:
    """When the question is asked that is asked now."""

    at: datetime


async def evaluate(
    config: Config, business: Business, state: Path, tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """The share of right replies by kind, and each row. Raises ConfigError for knowledge that cannot be read."""
    if business.knowledge is not None:
        config = replace(config, agent=replace(config.agent, knowledge=str(business.knowledge)))
    who = role(config)
    room = EngineRoom(config, who.instructions, state, lambda event: None)
    rows: list[dict[str, Any]] = []
    try:
        await room.start(READY_WITHIN_S)
        clock = Asked(datetime.now())
        assert room.engines.reader is not None
        clerk = await open_clerk(
            who.facts,
            room.engines.reader,
            lambda: clock.at,
            offers=who.offers,
            composes=config.agent.answers == "compose",
        )
        written = [passage.text for passage in who.facts.passages]
        for number, question in enumerate(business.questions):
            clock.at = question.now or datetime.now()
            agent = Agent(room.engines.llm, who.instructions, Memory(), clerk.find, call=f"eval-{number}")
            heard = await _heard(question, Attentive(room.engines.stt, who.facts.lexicon))
            reply = await _reply(agent, heard)
            row = {
                "kind": question.kind,
                "ask": question.ask,
                "heard": heard,
                "reply": reply,
                "right": question.right(reply, written),
                "invented": question.invented(reply, written),
            }
            rows.append(row)
            tell(row)
    finally:
        await room.stop()
    return {"business": business.name, "model": config.llm.model, **summary(rows), "rows": rows}


async def act(config: Config, folder: Path, state: Path, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The share of calls in which the right thing was done, with the right arguments, by what that is; and each row.
    Raises BadInput for calls that cannot be read."""
    houses, calls = dialogues.load(folder)
    room = EngineRoom(config, "", state, lambda event: None)
    rows: list[dict[str, Any]] = []
    try:
        await room.start(READY_WITHIN_S)
        reader = room.engines.reader
        assert reader is not None
        for name, house in houses.items():
            clock = Asked(datetime.now())
            offers = Offers(people=house.people, operator=house.operator, tools=house.tools)
            known = await intents.read(reader, house.tools)
            clerk = Clerk([], lambda clock=clock: clock.at, reader, Index([]), known, offers=offers)  # type: ignore[misc]
            for call in calls:
                if call.business == name:
                    clock.at = call.now
                    outcome = await dialogues.play(call, clerk.find)
                    rows.append(_row(call, outcome, house))
                    tell(rows[-1])
    finally:
        await room.stop()
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in dict.fromkeys(row["kind"] for row in rows)}
    by_kind = {kind: {"asked": len(some), "right": _share(some, "right")} for kind, some in kinds.items()}
    return {"calls": folder.name, **by_kind, "right": _share(rows, "right"), "rows": rows}


def _row(call: dialogues.Call, outcome: dialogues.Outcome, house: dialogues.House) -> dict[str, Any]:
    return {
        "kind": call.tool if call.tool in ("connect", "arrived", "message") else "tool" if call.tool else "nothing",
        "ask": call.first,
        "heard": call.first,
        "reply": f"{outcome.tool or 'nothing'} {dict(outcome.arguments)}",
        "right": dialogues.right(call, outcome, house),
        "invented": False,
        "said": outcome.said,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By kind: how many were asked, and the share of right replies; of all, the share of words misheard, and of
    inventions."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        of_kind = [row for row in rows if row["kind"] == kind]
        if of_kind:
            found[kind] = {"asked": len(of_kind), "right": _share(of_kind, "right")}
    errors = [word_errors(row["ask"], row["heard"]) for row in rows]
    found["wer"] = round(sum(wrong for wrong, _ in errors) / max(1, sum(total for _, total in errors)), 4)
    unknown = [row for row in rows if row["kind"] == "unknown"]
    return {**found, "invented": _share(unknown, "invented") if unknown else None}


async def _heard(question: Question, stt: Recogniser) -> str:
    """The question in words, as it was written or said."""
    if question.file is None:
        return question.ask
    return (await stt.transcribe(await asyncio.to_thread(soundfile.read, question.file))).text


async def _reply(agent: Agent, words: str) -> str:
    text = "".join([token.text async for token in agent.reply(words, max_tokens=MOST_TOKENS)])
    await agent.forget()
    return text.strip()


def _share(rows: list[dict[str, Any]], key: str) -> float:
    return round(sum(bool(row[key]) for row in rows) / len(rows), 3)
