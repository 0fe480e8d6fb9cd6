"""Opening hours: `Mo-Fr 08:00-18:00, Sa 09:00-12:00`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
ENTRY = re.compile(r"(?:(\w\w)(?:-(\w\w))?\s+)?(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")
DAY_MIN = 24 * 60


class Moment(Protocol):
    """What a `datetime` tells."""

    @property
    def hour(self) -> int: ...
    @property
    def minute(self) -> int: ...
    def weekday(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Span:
    days: frozenset[int]
    begin: int
    end: int
    """Minutes of the day; an end at or before the beginning is on the next day."""


class Hours:
    """When somebody answers. Raises ValueError naming the entry that cannot be read; empty text: always."""

    def __init__(self, text: str) -> None:
        self._spans = [_span(entry.strip()) for entry in text.split(",") if entry.strip()]

    def open_at(self, moment: Moment) -> bool:
        """`moment` is local time."""
        if not self._spans:
            return True
        day, minute = moment.weekday(), moment.hour * 60 + moment.minute
        for span in self._spans:
            overnight = span.end <= span.begin
            if day in span.days and span.begin <= minute < (DAY_MIN if overnight else span.end):
                return True
            if overnight and (day - 1) % 7 in span.days and minute < span.end:
                return True
        return False


def _span(entry: str) -> _Span:
    found = ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"{entry!r} is not like `Mo-Fr 08:00-18:00`")
    first, last, *clock = found.groups()
    hours_begin, minutes_begin, hours_end, minutes_end = map(int, clock)
    begin, end = hours_begin * 60 + minutes_begin, hours_end * 60 + minutes_end
    if begin >= DAY_MIN or end > DAY_MIN or max(minutes_begin, minutes_end) > 59:
        raise ValueError(f"{entry!r}: there is no such time")
    return _Span(_days(first, last, entry), begin, end)


def _days(first: str | None, last: str | None, entry: str) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    try:
        begin = DAYS.index(first.lower())
        end = DAYS.index(last.lower()) if last else begin
    except ValueError:
        raise ValueError(f"{entry!r}: days are {', '.join(day.title() for day in DAYS)}") from None
    return frozenset((begin + i) % 7 for i in range((end - begin) % 7 + 1))
