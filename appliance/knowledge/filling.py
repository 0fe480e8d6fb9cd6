"""Asking a caller for what must be known before something can be done for them. English. Pure.

wanted      the caller says                             then wanted
──────────────────────────────────────────────────────────────────────────────────────
offer       yes: they do want that                      a slot, or check
a slot      what fills it, and perhaps others           the next slot; check, once all are filled
check       yes                                         nothing: it is done
            what is right instead, or which is wrong    check, or that slot
            no                                          which
which       what is right, or which is wrong            check, or that slot
any         "never mind"                                nothing: it is dropped
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from .dictation import agrees, drops
from .slots import LATE, Around, Opens, Slot, find, said

OFFER, CHECK, WHICH = "?offer", "?check", "?which"
"""What may be wanted beside slots; no slot has such a name."""
SHORT = 6
"""Words: a longer answer says what is wanted instead."""
MOST_ASKED = 3
"""So often the same thing is asked for; then it is given up."""
PLAIN = ("date", "time", "number", "phone", "email")
"""What is never said by chance."""
PLAIN_FIRST = ("email", "phone", "date", "time", "choice", "number", "name")
"""In this order what a caller said unasked is looked for: the plainest first, not to be taken for others."""
NEGATED = re.compile(r"\b(?:not|rather than|instead of)\b[^,.;]*?(?=\bbut\b|[,.;]|$)|^\W*(?:yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What can be done for callers, and what must be known for it."""

    name: str
    when: tuple[str, ...]
    """What callers say who want it."""
    ask: tuple[Slot, ...] = ()
    confirm: bool = True
    """Read back before it is done."""

    @property
    def asks(self) -> bool:
        """Whoever did not want it has time to say so."""
        return self.confirm or bool(self.ask)

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @property
    def examples(self) -> tuple[str, ...]:
        """Of what is said by who wants it."""
        return (*self.when, self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A tool is to be used, now."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What is being asked for."""

    tool: Tool
    values: Mapping[str, str] = field(default_factory=dict)
    wanted: str = ""
    """A slot, OFFER, CHECK or WHICH."""
    asked: int = 1
    """How often."""
    late: bool = False
    """It is about the evening."""
    words: str = ""
    """What was said before it was offered."""
    known: Mapping[str, str] = field(default_factory=dict)
    """What we know of the caller anyway, by kind."""

    @property
    def slot(self) -> Slot | None:
        return next((slot for slot in self.tool.ask if slot.name == self.wanted), None)

    @property
    def takes_anything(self) -> bool:
        """Whatever is said fills what is wanted."""
        return self.wanted == OFFER or (self.slot is not None and self.slot.kind == "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    say: str
    form: Filling | None = None
    use: Use | None = None


def offer(tool: Tool, words: str, known: Mapping[str, str]) -> Filled:
    """Perhaps it is wanted."""
    form = Filling(tool=tool, wanted=OFFER, words=words, known=known)
    return Filled(say=f"Is this what you want: {tool.title}?", form=form)


def begin(tool: Tool, words: str, now: datetime, *, known: Mapping[str, str], opens: Opens | None = None) -> Filled:
    """A caller wants it, and may have said what must be known already. `known`: what we know of them anyway."""
    form = Filling(tool=tool, late=any(LATE.search(text) for text in (words, *tool.when)))
    values = _volunteered(form, words, now, opens)
    values |= {slot.name: known[slot.kind] for slot in tool.ask if slot.kind in known and slot.name not in values}
    return _next(replace(form, values=values), now)


def go_on(form: Filling, words: str, now: datetime, opens: Opens | None = None) -> Filled | None:
    """What the caller says next. None: they pass over what was offered."""
    if form.wanted == OFFER:
        if agrees(words):
            return begin(form.tool, f"{form.words} {words}", now, known=form.known, opens=opens)
        if agrees(words) is False and len(words.split()) <= SHORT:
            return Filled(say="I see. What can I do for you, then?")
        return None
    slot = form.slot
    form = replace(form, late=form.late or LATE.search(words) is not None)
    found = find(slot, words, _around(form, now, opens), asked=True) if slot is not None else None
    if drops(words) and (found is None or slot is None or slot.kind not in PLAIN):
        return Filled(say="All right, I leave it. Is there anything else?")
    if slot is None:
        return _checked(form, words, now, opens)
    if found is None:
        return _again(form, now)
    form = replace(form, values={**form.values, slot.name: found.value})
    return _next(replace(form, values=_volunteered(form, found.rest, now, opens)), now)


def ask(form: Filling, now: datetime) -> str:
    """The question for what is wanted."""
    if form.slot is not None:
        return form.slot.question
    if form.wanted == OFFER:
        return offer(form.tool, form.words, form.known).say
    if not form.tool.ask:
        return "Shall I do that now?"
    if form.wanted == WHICH:
        return f"I am sorry. What is wrong: {_listed(form.tool)}?"
    told = ", ".join(said(slot, form.values[slot.name], now) for slot in form.tool.ask if form.values.get(slot.name))
    return f"Let me read that back. {told[:1].upper() + told[1:]}. Is that right?"


def _volunteered(form: Filling, words: str, now: datetime, opens: Opens | None) -> dict[str, str]:
    """The values, with what was said without being asked for."""
    rest = words
    for kind in PLAIN_FIRST:
        for slot in form.tool.ask:
            if slot.kind == kind and slot.name not in form.values and not _yes_or_no(slot):
                found = find(slot, rest, _around(form, now, opens), asked=False)
                if found is not None:
                    form = replace(form, values={**form.values, slot.name: found.value})
                    rest = found.rest
    return dict(form.values)


def _yes_or_no(slot: Slot) -> bool:
    """Whoever says one of these may mean something else by it."""
    return any(agrees(choice) is not None for choice in slot.choices)


def _around(form: Filling, now: datetime, opens: Opens | None) -> Around:
    day = next((form.values.get(slot.name, "") for slot in form.tool.ask if slot.kind == "date"), "")
    return Around(now=now, day=day, late=form.late, opens=opens)


def _checked(form: Filling, words: str, now: datetime, opens: Opens | None) -> Filled:
    told, around = NEGATED.sub(" ", words), _around(form, now, opens)
    named = [slot for slot in form.tool.ask if re.search(rf"\b{re.escape(slot.title)}\b", words, re.IGNORECASE)]
    if named:
        found = find(named[0], re.sub(r"^.*?\bis\b", "", told), around, asked=True)
        if found is not None and named[0].kind in (*PLAIN, "choice"):
            return _next(replace(form, values={**form.values, named[0].name: found.value}), now)
        if agrees(words) is not True:
            return _asked_anew(form, named[0], now)
    right = _volunteered(replace(form, values={}), told, now, opens)
    changed = {name: value for name, value in right.items() if value != form.values.get(name)}
    chosen = {slot.name for slot in form.tool.ask if slot.kind == "choice"}
    if changed and not (agrees(words) and set(changed) <= chosen):
        days = {slot.name for slot in form.tool.ask if slot.kind == "date"}
        if not days & set(changed):  # a time is one of the day that is meant
            right = _volunteered(
                replace(form, values={n: v for n, v in form.values.items() if n in days}), told, now, opens
            )
            changed = {name: value for name, value in right.items() if value != form.values.get(name)}
        return _next(replace(form, values={**form.values, **changed}), now)
    if agrees(words):
        return Filled(say="", use=Use(tool=form.tool.name, arguments=form.values))
    kind = next((slot for slot in form.tool.ask if re.search(rf"\b{slot.kind}\b", words, re.IGNORECASE)), None)
    if kind is not None:
        return _asked_anew(form, kind, now)
    if agrees(words) is False and form.wanted == CHECK:
        if not form.tool.ask:
            return Filled(say="All right, I leave it. Is there anything else?")
        if len(form.tool.ask) == 1:
            return _asked_anew(form, form.tool.ask[0], now)
        return _asking(replace(form, wanted=WHICH, asked=1), now)
    return _again(form, now)


def _asked_anew(form: Filling, slot: Slot, now: datetime) -> Filled:
    return _next(replace(form, values={name: value for name, value in form.values.items() if name != slot.name}), now)


def _next(form: Filling, now: datetime) -> Filled:
    """Ask for the first thing that is missing; where nothing is, read back, or do it."""
    missing = next((slot.name for slot in form.tool.ask if slot.name not in form.values), None)
    if missing is None and not form.tool.confirm:
        return Filled(say="", use=Use(tool=form.tool.name, arguments=form.values))
    return _asking(replace(form, wanted=missing or CHECK, asked=1), now)


def _asking(form: Filling, now: datetime) -> Filled:
    return Filled(say=ask(form, now), form=form)


def _again(form: Filling, now: datetime) -> Filled:
    if form.asked >= MOST_ASKED:
        return Filled(say="I am sorry, I did not get that, and cannot do it. Is there anything else?")
    return Filled(say=f"I am sorry, I did not get that. {ask(form, now)}", form=replace(form, asked=form.asked + 1))


def _listed(tool: Tool) -> str:
    names = [f"the {slot.title}" for slot in tool.ask]
    return ", ".join(names[:-1]) + f" or {names[-1]}" if len(names) > 1 else names[0]
