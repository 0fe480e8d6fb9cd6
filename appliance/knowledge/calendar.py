"""Days and times as people write and say them, in English. Pure.

Weekdays are 0 (Monday) to 6; times are minutes of the day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEK = frozenset(range(7))
WEEKEND = frozenset((5, 6))
NOON, MIDNIGHT = 12 * 60, 24 * 60
HOLIDAYS = {"christmas eve": (12, 24), "christmas": (12, 25), "boxing day": (12, 26), "new year's eve": (12, 31)}
HOLIDAYS |= {"new year's day": (1, 1), "new year": (1, 1)}

_NAME = "|".join(f"{day[:3]}(?:{day[3:]})?s?" if len(day) > 6 else f"{day[:3]}(?:{day[3:]}s?)?" for day in DAYS)
DAY = re.compile(rf"\b({_NAME}|tues|wed|weds|thur|thurs)\b\.?", re.IGNORECASE)
DAYS_SAID = re.compile(
    rf"\b(?:(?P<first>{_NAME})\s*(?:to|until|till|through|-|–)\s*(?P<last>{_NAME})"
    rf"|(?P<list>(?:{_NAME})(?:\s*(?:,|and|&|,\s*and)\s*(?:on\s+)?(?:{_NAME})\b(?!\s*(?:to|until|till|through|-|–)\s*(?:{_NAME})))*)"
    r"|(?P<every>every ?day|daily|seven days a week)|(?P<weekend>(?:at|on)?\s*(?:the\s+)?weekends?)"
    r"|(?P<week>(?:on\s+)?weekdays))\b",
    re.IGNORECASE,
)
TIME = r"(?:(?:[01]?\d|2[0-4])(?:[:.][0-5]\d)?\s*(?:a\.?m\b\.?|p\.?m\b\.?|o.clock|h\b)?|noon|midnight|midday)"
RANGE = re.compile(rf"\b(?:from\s+|between\s+)?({TIME})\s*(?:to|until|till|and|-|–)\s*({TIME})(?![\d:])", re.IGNORECASE)
UNTIL = re.compile(rf"\b(?:until|till)\s+({TIME})(?![\d:])", re.IGNORECASE)
DATE = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+({'|'.join(MONTHS)})\b", re.IGNORECASE)
DATE_US = re.compile(rf"\b({'|'.join(MONTHS)})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b", re.IGNORECASE)


def days(match: re.Match[str]) -> frozenset[int]:
    """Those that a match of DAYS_SAID means."""
    if match["first"]:
        first, last = weekday(match["first"]), weekday(match["last"])
        return frozenset((first + i) % 7 for i in range((last - first) % 7 + 1))
    if match["list"]:
        return frozenset(weekday(found[1]) for found in DAY.finditer(match["list"]))
    if match["weekend"]:
        return WEEKEND
    return WEEK - WEEKEND if match["week"] else WEEK


def weekday(name: str) -> int:
    return [day[:3].lower() for day in DAYS].index(name[:3].lower())


def minutes(text: str, *, after: int | None = None) -> int:
    """A time of the day; `after`: the end of a range that begins then, so that `9 to 5` ends in the afternoon."""
    text = text.lower().strip()
    if text.startswith(("noon", "midday")):
        return NOON
    if text.startswith("midnight"):
        return MIDNIGHT
    found = re.match(r"(\d{1,2})(?:[:.](\d\d))?\s*([ap])?", text)
    assert found is not None, "it matched TIME"
    value = int(found[1]) * 60 + int(found[2] or 0)
    if found[3]:
        return value % NOON + (NOON if found[3] == "p" else 0)
    return value + NOON if after is not None and value <= after and value < NOON else value


def dates(text: str) -> list[tuple[int, int]]:
    """Month and day of each date that is named, by number or as a holiday."""
    found = [(1 + _month(m[2]), int(m[1])) for m in DATE.finditer(text)]
    found += [(1 + _month(m[1]), int(m[2])) for m in DATE_US.finditer(text)]
    lower = text.lower().replace("’", "'")
    for name, day in HOLIDAYS.items():
        if name in lower and day not in found:
            found.append(day)
            lower = lower.replace(name, "")
    return found


def next_date(month: int, day: int, today: date) -> date | None:
    """The next one, today included; None for a date that there is not."""
    for year in range(today.year, today.year + 9):
        try:
            found = date(year, month, day)
        except ValueError:  # the 29th of February, or nonsense
            continue
        if found >= today:
            return found
    return None


def next_weekday(wanted: int, today: date) -> date:
    """The next one, today included."""
    return today + timedelta(days=(wanted - today.weekday()) % 7)


def clock(value: int) -> str:
    """As people say it: `8:30 am`, `5 pm`, `noon`, `midnight`."""
    if value % MIDNIGHT == 0:
        return "midnight"
    if value == NOON:
        return "noon"
    hour, minute = divmod(value, 60)
    return f"{(hour - 1) % 12 + 1}{f':{minute:02}' if minute else ''} {'pm' if hour % 24 >= 12 else 'am'}"


def named(wanted: Iterable[int]) -> str:
    """Weekdays as people say them: `Monday to Thursday`, `Saturday and Sunday`."""
    ordered = sorted(wanted)
    runs: list[list[int]] = []
    for day in ordered:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = []
    for run in runs:
        if len(run) > 2:
            parts.append(f"{DAYS[run[0]]} to {DAYS[run[-1]]}")
        else:
            parts += [DAYS[day] for day in run]
    return listed(parts)


def listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _month(name: str) -> int:
    return [month.lower() for month in MONTHS].index(name.lower())
