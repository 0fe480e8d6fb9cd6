"""Questions about opening hours: answered by what is known of them, computed for the moment. English. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from .calendar import (
    DAYS,
    DAYS_SAID,
    HOLIDAYS,
    MONTHS,
    WEEK,
    WEEKEND,
    clock,
    dates,
    days,
    listed,
    named,
    next_date,
    next_weekday,
)
from .hours import Hours

ASKS_OPEN = re.compile(
    r"\b(?:open(?:s|ed|ing)?|clos(?:e|es|ed|ing)|hours|shut|until when|how late|how long are you|serv(?:es?|ed|ing)"
    r"|(?:come|drop|pop) (?:in|by|round|over)|(?:any|some)(?:body|one) (?:there|in)|are you (?:there|back|in))\b",
    re.IGNORECASE,
)
ASKS_YES = re.compile(
    r"^(?:(?:and|so|but|well|hello|hi|um|uh|oh|okay|sorry|excuse me)\W+)*(?:are|is|do|does|will|can|could)\b",
    re.IGNORECASE,
)
ASKS_END = re.compile(r"\b(?:clos(?:e|es|ing)|until when|how late|how long|till when|shut)\b", re.IGNORECASE)
ASKS_BEGIN = re.compile(r"\b(?:open|opens|begin|start|from when)\b", re.IGNORECASE)
ASKS_BOTH = re.compile(r"\bopen(?:ing)?\s+(?:hours|times)|\b(?:are|is)\b.*\bopen\b", re.IGNORECASE)
ENDS_IN_OPEN = re.compile(r"\bopen\s*\??$", re.IGNORECASE)
NOW = re.compile(r"\b(?:now|right now|at the moment|currently|still|yet|at this time)\b", re.IGNORECASE)
AGAIN = re.compile(r"\b(?:again|next)\b", re.IGNORECASE)
TODAY = re.compile(r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", re.IGNORECASE)
TOMORROW = re.compile(r"\btomorrow\b", re.IGNORECASE)
PLAIN = frozenset(
    """a about afternoon again all also always and any anybody anyone april are around at august back be been boxing
    business by can chance christmas close closed closes closing come could currently day days december do does door
    doors drop eve evening ever every everyday exactly excuse february for from generally get going got have hello
    here hi hour hours house how i if in is it january july june just know late long march may me moment morning nd
    new next normally november now october of office oh okay on open opened opening opens or over please pop
    practice rd right round say september shop shut so somebody someone soon sorry st still surgery tell th that the
    then there this till time times to today tomorrow tonight uh um until up usually we week weekday weekdays
    weekend weekends well what when will with would year year's yet you your""".split()  # noqa: SIM905
    + [form for day in DAYS for form in (day.lower(), f"{day.lower()}s")]
)
"""Words that may stand in a question about hours; any other is about something else, of which we know no hours."""
OF_A_PART = frozenset(("have", "serve", "serves", "served", "serving", "eat", "use"))
MEALS = frozenset(("breakfast", "brunch", "lunch", "dinner", "supper"))


def answer(question: str, known: Sequence[Hours], now: datetime) -> str | None:
    """The answer to a question about hours, or None where it is none, or nobody wrote them down."""
    words = set(re.findall(r"[a-z']+", question.lower().replace("’", "'")))
    hours = _meant(words, known)
    if hours is None:
        return None
    days_meant, said = _days_meant(question, now)
    asks_open = ASKS_OPEN.search(question) is not None
    if not asks_open and not (days_meant and ASKS_YES.search(question)):
        return None
    if NOW.search(question):
        return _now(hours, now)
    if AGAIN.search(question) and not days_meant:
        return _reopens(hours, now)
    if not days_meant:
        bare = ASKS_YES.search(question) and ENDS_IN_OPEN.search(question)
        return _now(hours, now) if bare else _week(hours)
    told = [_day(hours, day, name, question) for day, name in zip(days_meant, said, strict=True)]
    if len(told) == 1 and hours.on(days_meant[0]) == [] and not ASKS_YES.search(question):
        told.append(_reopens(hours, datetime.combine(days_meant[0], time.max)) or "")
    return " ".join(told).strip()


def _meant(words: set[str], known: Sequence[Hours]) -> Hours | None:
    """Whose hours are asked for."""
    for hours in known:
        if hours.subject and words & hours.about:
            rest = words - hours.about - PLAIN - OF_A_PART
            return hours if not rest else None
    house = next((hours for hours in known if not hours.subject), None)
    return house if house is not None and not words - PLAIN else None


def _days_meant(question: str, now: datetime) -> tuple[list[date], list[str]]:
    """The days that are named, and how to name them."""
    today = now.date()
    if TODAY.search(question):
        return [today], ["today"]
    if TOMORROW.search(question):
        return [today + timedelta(days=1)], ["tomorrow"]
    if named_dates := dates(question):
        found = [day for month, number in named_dates if (day := next_date(month, number, today)) is not None]
        return found, [f"on {_holiday(question) or f'{MONTHS[day.month - 1]} {day.day}'}" for day in found]
    said = DAYS_SAID.search(question)
    meant = [] if said is None else sorted(days(said))
    if len(meant) > len(WEEKEND):
        return [], []
    return [next_weekday(day, today) for day in meant], [f"on {DAYS[day]}" for day in meant]


def _holiday(question: str) -> str:
    """Its name, as it was said."""
    found = re.search(rf"\b(?:{'|'.join(HOLIDAYS)})(?: day| eve)?\b", question.replace("’", "'"), re.IGNORECASE)
    return found[0] if found else ""


def _now(hours: Hours, now: datetime) -> str | None:
    spans, minute = hours.on(now.date()), now.hour * 60 + now.minute
    if spans is None:
        return None
    for begin, end in spans:
        if begin <= minute < end:
            return f"Yes, {_who(hours)} open now, until {clock(end)}."
    again = _reopens(hours, now)
    return f"No, {_who(hours)} closed now." + (f" {again}" if again else "")


def _reopens(hours: Hours, now: datetime) -> str | None:
    opening = hours.next_opening(now)
    if opening is None:
        return None
    day, begin = opening
    ahead = (day - now.date()).days
    when = ("today", "tomorrow")[ahead] if ahead < 2 else f"on {DAYS[day.weekday()]}"
    return f"{_capital(_name(hours))} {_verb(hours, 'open')} again {when} at {clock(begin)}."


def _week(hours: Hours) -> str:
    """All of it."""
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for day in sorted(hours.week):
        groups.setdefault(tuple(hours.week[day]), []).append(day)
    open_ = [f"{_days(group)} {_spans(spans)}" for spans, group in groups.items() if spans]
    text = f"{_capital(_who(hours))} open {listed(open_)}."
    if shut := groups.get(()):
        text += f" On {named(shut)} {_who(hours)} closed."
    return text


def _day(hours: Hours, day: date, name: str, question: str) -> str:
    spans = hours.on(day)
    if spans is None:
        return f"{_week(hours)} I know of no hours {name}."
    yes = ASKS_YES.search(question) is not None
    if not spans:
        return f"{'No, ' if yes else ''}{name if yes else _capital(name)} {_who(hours)} closed."
    if yes:
        return f"Yes, {name} {_who(hours)} open {_spans(tuple(spans))}."
    if ASKS_END.search(question):
        return f"{_capital(name)} {_name(hours)} {_verb(hours, 'close')} at {clock(spans[-1][1])}."
    if ASKS_BEGIN.search(question) and not ASKS_BOTH.search(question):
        return f"{_capital(name)} {_name(hours)} {_verb(hours, 'open')} at {clock(spans[0][0])}."
    return f"{_capital(name)} {_who(hours)} open {_spans(tuple(spans))}."


def _name(hours: Hours) -> str:
    return _lower(hours.subject) if hours.subject else "we"


def _who(hours: Hours) -> str:
    return f"{_name(hours)} is" if hours.subject else "we are"


def _verb(hours: Hours, verb: str) -> str:
    if MEALS & hours.about and hours.subject.lower() in MEALS:
        return {"open": "begins", "close": "ends"}[verb]
    return f"{verb}s" if hours.subject else verb


def _spans(spans: tuple[tuple[int, int], ...]) -> str:
    return listed([f"from {clock(begin)} to {clock(end)}" for begin, end in spans])


def _days(group: list[int]) -> str:
    return "every day" if len(group) == len(WEEK) else named(group)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return (
        text[:1].lower() + text[1:]
        if text.split()[0].lower() in ("the", "our", "breakfast", "lunch", "dinner")
        else text
    )
