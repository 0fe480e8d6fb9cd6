"""A visitor who has come to see somebody: whom, and who they are. English. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .dictation import drops, person
from .people import FOR_SOMEBODY, Person, host, host_answered
from .slots import NAMED, NOT_A_NAME

MOST_ASKED = 2
"""So often each is asked for; then it is told without."""
WHOM = "Who are you here to see?"
WHO = "May I have your name, please?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Somebody of the house is to be told, now."""

    host: str
    """Empty where the visitor could not say."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visiting:
    """What a visitor is being asked."""

    wanted: Literal["host", "name"]
    host: str = ""
    name: str = ""
    asked: int = 1

    @property
    def takes_anything(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    say: str
    form: Visiting | None = None
    arrived: Arrived | None = None


def begin(words: str, people: Sequence[Person], name: str = "") -> Step:
    """They have said that they are here. `name`: theirs, if we know it."""
    named = FOR_SOMEBODY.search(words) or NAMED.search(words)
    whom = host(words, people)
    if named is not None and not NOT_A_NAME.match(named["name"]) and named["name"] != whom:
        name = named["name"]
    return _next(Visiting(wanted="host", host=whom, name=name))


def go_on(form: Visiting, words: str, people: Sequence[Person]) -> Step:
    """What the visitor says next."""
    if drops(words):
        return Step(say="All right. Is there anything else?")
    if form.wanted == "host":
        found = host_answered(words, people)
        if not found and form.asked < MOST_ASKED:
            return Step(say=f"I am sorry, I did not get that. {WHOM}", form=replace(form, asked=form.asked + 1))
        return _next(replace(form, host=found, asked=1), whom_asked=True)
    found = person(words)
    if not found and form.asked < MOST_ASKED:
        return Step(say=f"I am sorry, I did not get that. {WHO}", form=replace(form, asked=form.asked + 1))
    return _done(replace(form, name=found or "a visitor"))


def ask(form: Visiting) -> str:
    return WHOM if form.wanted == "host" else WHO


def _next(form: Visiting, *, whom_asked: bool = False) -> Step:
    if not form.host and not whom_asked:
        return Step(say=f"Welcome. {WHOM}", form=form)
    if not form.name:
        return Step(say=f"{'' if whom_asked else 'Welcome. '}{WHO}", form=replace(form, wanted="name"))
    return _done(form)


def _done(form: Visiting) -> Step:
    whom = form.host or "them"
    thanks = "Thank you" if form.name == "a visitor" else f"Thank you, {form.name}"
    say = f"{thanks}. I will tell {whom} that you are here. Please take a seat."
    return Step(say=say, arrived=Arrived(host=form.host, name=form.name))
