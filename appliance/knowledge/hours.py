"""Opening hours, read from what the owner wrote. English. Pure.

the owner writes                                                           that is
─────────────────────────────────────────────────────────────────────────────────────────────────────────
We are open Monday to Friday from 8 am to 6 pm, and on Saturday 9 to 1.    the house's hours
On Sunday we are closed. Closed on 25 December.                            … and when it is closed
The restaurant serves dinner from 18:00 to 21:30. It is closed on Mondays. those of a part of it
Breakfast is served from 7 to 10, at weekends until 11.                    with other ends on some days
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from .calendar import DAYS_SAID, MIDNIGHT, RANGE, UNTIL, WEEK, dates, days, minutes

SENTENCE = re.compile(r"(?<!\ba\.m)(?<!\bp\.m)(?<!\bDr)(?<!\bMr)(?<!\bMrs)[.!?]\s+(?=[A-Z])|\n+")
CLOSED = re.compile(r"\b(?:closed|shut)\b", re.IGNORECASE)
SUBJECT = re.compile(
    r"^(?P<subject>.*?)\s*\b(?:is|are|opens?|serves?|has|have|takes?)\b(?P<verb>.*?)$", re.IGNORECASE | re.DOTALL
)
PRONOUN = re.compile(r"^(?:it|they|there)$", re.IGNORECASE)
HOUSE = re.compile(
    r"^(?:we|our (?:opening )?hours|opening (?:hours|times)|the (?:house|office|shop|practice|business))?$",
    re.IGNORECASE,
)
OPENS = re.compile(r"\b(?:open(?:s|ing)?|hours|serv(?:es?|ed)|closed|shut)\b", re.IGNORECASE)
PLAIN_HOURS = re.compile(rf"^\W*(?:on\s+|at\s+)?{DAYS_SAID.pattern}\W*(?:from\s+)?\d", re.IGNORECASE)
"""A line of a table: `Mon-Fri 9-5`."""
SERVED = re.compile(r"\bserves?\s+(?:the\s+)?([a-z]+)", re.IGNORECASE)
AHEAD = 370
"""Days that are looked at for the next opening."""


@dataclass(slots=True)
class Hours:
    """Of the house (no subject), or of a part of it. `week`: for each weekday that is known, when it is open; empty:
    closed."""

    subject: str = ""
    week: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    closed: set[tuple[int, int]] = field(default_factory=set)
    """Month and day of dates."""
    about: frozenset[str] = frozenset()
    """The words by which it is asked for."""

    def on(self, day: date) -> list[tuple[int, int]] | None:
        """When it is open on a day, in minutes; None where nobody wrote that down."""
        if (day.month, day.day) in self.closed:
            return []
        return self.week.get(day.weekday())

    def next_opening(self, now: datetime) -> tuple[date, int] | None:
        """The day and minute at which it opens next."""
        minute = now.hour * 60 + now.minute
        for ahead in range(AHEAD):
            day = now.date() + timedelta(days=ahead)
            for begin, _ in self.on(day) or []:
                if ahead or begin > minute:
                    return day, begin
        return None


def read(text: str) -> list[Hours]:
    """All hours that a text tells. Raises nothing: what it does not understand it leaves out."""
    found: dict[str, Hours] = {}
    last = ""
    for sentence in SENTENCE.split(text):
        if sentence.lstrip().startswith("#"):
            last = ""
            continue
        subject = _subject(sentence.strip(" -*•\t"))
        subject = last if subject is None else subject
        if (
            _take(sentence, found.setdefault(subject, Hours(subject=subject, about=_about(subject, sentence))))
            or subject
        ):
            last = subject
    return [hours for hours in found.values() if any(hours.week.values())]


def _subject(sentence: str) -> str | None:
    """Whose hours a sentence tells: empty for the house, None for what was spoken of before."""
    match = SUBJECT.match(sentence)
    starts = [found.start() for kind in (DAYS_SAID, RANGE, CLOSED) if (found := kind.search(sentence))]
    first = min(starts, default=len(sentence))
    subject = (match["subject"] if match and match.start("verb") <= first else sentence[:first]).strip(" ,:")
    subject = re.sub(r"^(?:on|at|from)\b.*$", "", subject, flags=re.IGNORECASE).strip()
    if PRONOUN.match(subject):
        return None
    return "" if HOUSE.match(subject) else subject


def _take(sentence: str, hours: Hours) -> bool:
    """Note what a sentence says of these hours; whether it said anything."""
    closed, named = CLOSED.search(sentence), dates(sentence)
    if named and not closed:
        return False  # other hours on one day: nothing that a week could tell
    hours.closed.update(named)
    marks: list[tuple[int, str, re.Match[str]]] = [(m.start(), "days", m) for m in DAYS_SAID.finditer(sentence)]
    if not OPENS.search(sentence) and not PLAIN_HOURS.match(sentence):
        return False  # rooms, prices, ages
    ranges = list(RANGE.finditer(sentence))
    marks += [(m.start(), "range", m) for m in ranges]
    inside = [(m.start(), m.end()) for m in ranges]
    marks += [
        (m.start(), "until", m) for m in UNTIL.finditer(sentence) if not any(a <= m.start() < b for a, b in inside)
    ]
    if closed:
        marks.append((closed.start(), "closed", closed))
    return _note(sorted(marks, key=lambda mark: mark[0]), hours) or bool(named)


def _note(marks: list[tuple[int, str, re.Match[str]]], hours: Hours) -> bool:
    """Days, ranges, ends and closings in the order in which they are named; whether they said anything."""
    meant: frozenset[int] = frozenset()
    waiting: list[tuple[int, int]] = []
    """Ranges that were named before their days: `8 to 6, Monday to Friday`."""
    end = 0
    said = shut = False
    kinds = [kind for _, kind, _ in marks]
    for number, (_, kind, match) in enumerate(marks):
        before, later = kinds[number - 1] if number else "", kinds[number + 1 :]
        match kind:
            case "days":
                meant = meant | days(match) if before == "days" else days(match)
                if before == "closed" or (before == "days" and shut):
                    said = _set(hours, meant, [])
                elif waiting and "until" in later:
                    said = _set(hours, WEEK, waiting)  # and on these days another end
                elif waiting and "range" not in later:
                    said = _set(hours, meant, waiting)
            case "closed":
                shut = True
                if before == "days":
                    said = _set(hours, meant, [])
            case "range":
                begin = minutes(match[1], after=end if before == "range" else None)
                span = begin, minutes(match[2], after=begin)
                if _sensible(span):
                    end = span[1]
                    if meant:
                        said = _set(hours, meant, [span], add=before == "range")
                    else:
                        waiting.append(span)
            case "until" if waiting and meant:
                said = _set(hours, meant, [(waiting[0][0], minutes(match[1], after=waiting[0][0]))])
    if waiting and "days" not in kinds:
        said = _set(hours, WEEK, waiting)
    return said


def _set(hours: Hours, meant: frozenset[int], spans: list[tuple[int, int]], *, add: bool = False) -> bool:
    for day in meant:
        hours.week[day] = [*hours.week.get(day, []), *spans] if add else list(spans)
    return True


def _sensible(span: tuple[int, int]) -> bool:
    return 0 <= span[0] < span[1] <= MIDNIGHT


def _about(subject: str, sentence: str) -> frozenset[str]:
    """A part of the house is asked for by its name, or by what it serves."""
    if not subject:
        return frozenset()
    served = SERVED.search(sentence)
    words = re.findall(r"[a-z]+", subject.lower()) + ([served[1].lower()] if served else [])
    return frozenset(word for word in words if len(word) > 3)
