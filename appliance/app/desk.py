"""From the configuration to what a conversation needs: persona, facts, phrases, engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from appliance.control.verbs import Phone
from appliance.doors.sip.options import account_name
from appliance.engines.contracts import Engines
from appliance.engines.gate import DOORS, NEEDS, Gate
from appliance.flow.desk import Desk
from appliance.flow.instant import Instant
from appliance.flow.pace import Pace
from appliance.flow.phrases import render_all
from appliance.flow.vad import Silero
from appliance.knowledge import facts
from appliance.knowledge.clerk import SORRY, UNSURE
from appliance.knowledge.facts import Facts
from appliance.knowledge.service import Offers
from appliance.store.meanings import Meanings
from appliance.terms.clock import Clock
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError
from appliance.terms.events import Event

from .engines import room_for_instructions
from .hands import Hands, no_phone, offers
from .knowledge import open_clerk

DEFAULTS = Path(__file__).parent / "defaults"
NO_FACTS = "You have been told the name {business}, and nothing else: whatever else is asked for, you do not know it."
"""To a language model that cannot be told all the owner wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who answers: the business's name, the model's instructions, and the first words of a call."""

    business: str
    instructions: str
    greeting: str
    notice: str
    """That something may be computed elsewhere; it is part of the greeting."""
    offers: Offers
    """What can be done for callers."""
    facts: Facts
    """Without its text, where that is too long to be read to the language model."""
    paths: tuple[Path, ...]
    """What all that was read from."""


def role(config: Config) -> Role:
    """Raises ConfigError naming a persona or knowledge that cannot be read."""
    persona = Path(config.agent.persona).expanduser() if config.agent.persona else DEFAULTS / "persona.md"
    knowledge = Path(config.agent.knowledge).expanduser() if config.agent.knowledge else DEFAULTS / "harbour-house.md"
    known = facts.load(knowledge)
    manner = facts.read_text(persona, "agent.persona").strip()
    try:
        greeting = config.agent.greeting.format(business=known.business)
    except (KeyError, IndexError, ValueError):
        raise ConfigError(["agent.greeting: the only name it may use in braces is {business}"]) from None
    if facts.tokens(manner) + facts.tokens(known.text) > room_for_instructions(config):
        known = replace(known, text="")
    notice = config.cloud.notice.strip() if may_leave(config) else ""
    greeting = f"{greeting} {notice}".strip()
    return Role(
        business=known.business,
        instructions=f"{manner}\n\nThe facts:\n\n{known.text or NO_FACTS.format(business=known.business)}",
        greeting=greeting,
        notice=notice,
        offers=offers(config),
        facts=known,
        paths=(persona, knowledge),
    )


def may_leave(config: Config) -> bool:
    """May anything of any call be sent to a provider?"""
    gate = Gate(config.cloud.allow, config.cloud.allow_by)
    return bool(config.cloud.providers) and any(gate.may(stage, door) for stage in NEEDS for door in DOORS)


def roles(config: Config) -> dict[str, Role]:
    """By the desk's name: the usual one, "", and one for each account of the phone that has a persona, knowledge or
    greeting of its own. Raises ConfigError naming what cannot be read, and whose it is."""
    found = {"": role(config)}
    for number, account in enumerate(config.sip.accounts):
        own = {key: value for key in ("persona", "knowledge", "greeting") if (value := getattr(account, key))}
        if own:
            name = account_name(config.sip, number)
            try:
                found[name] = role(replace(config, agent=replace(config.agent, **own)))
            except ConfigError as error:
                raise ConfigError([f"sip.accounts, {name}: {problem}" for problem in error.problems]) from error
    return found


async def open_desk(
    config: Config,
    who: Role,
    engines: Engines,
    clock: Clock,
    kept: Meanings | None = None,
    *,
    phone: Callable[[], Phone] = no_phone,
    emit: Callable[[Event], None] = lambda event: None,
) -> Desk:
    """Once the engines are ready. `emit` is told what tools do. Raises EngineError."""
    assert engines.reader is not None, "a device has one"
    composes = config.agent.answers == "compose"
    clerk = await open_clerk(
        who.facts,
        engines.reader,
        datetime.now,  # by the wall clock where the device stands
        kept,
        offers=who.offers if config.messages.take else replace(who.offers, takes_messages=False, checks_in=False),
        composes=composes,
    )
    voice = Instant(engines.tts, clock)
    known = [passage.text for passage in who.facts.passages] if config.agent.instant and not composes else []
    return Desk(
        engines=replace(engines, tts=voice),
        render=partial(voice.render, [SORRY, UNSURE, *known] if known else []),
        silero=Silero(),
        notice=who.notice,
        phrases=await render_all(engines.tts, who.greeting),
        instructions=who.instructions,
        find=clerk.find,
        lexicon=who.facts.lexicon,
        hands=Hands(config.actions, who.business, phone, emit),
        clock=clock,
        pace=pace(config),
        patience=config.turns.patience,
        max_pause_s=config.turns.max_pause_ms / 1000,
        silence_s=config.turns.silence_s,
    )


def pace(config: Config) -> Pace:
    """What a device that has not answered anybody yet believes it can do in time."""
    return Pace(speculate=config.turns.speculate == "auto", max_tokens=config.llm.max_tokens)
