"""Days, times, numbers, addresses and choices, out of what a caller says, and said back. English. Pure.

kind     the caller says                                             kept as
──────────────────────────────────────────────────────────────────────────────────────────────────
date     tomorrow, on Friday, a week on Monday, the 3rd of April     2026-04-03
time     half past three, 7:30 pm, quarter to nine, at noon          15:30
number   four, twenty-five, 4 8 2 9                                  4829
phone    oh seven seven double nine …                                07799…
email    anna dot miller at example dot com                          anna.miller@example.com
choice   one of those that there are, or most of its words           as it is written in the list
name     it's Peter Miller                                           Peter Miller
text     anything                                                    as it was said
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import SequenceMatcher

from appliance.terms.config import AskKind

from .calendar import DAYS, MONTHS, NOON, clock, dates, next_date, next_weekday, weekday
from .dictation import ONES, TEENS, TENS, digits, person, phone_number, read_out

Opens = Callable[[date, int], bool | None]
"""Is it open on that day, at that minute of it? None: nobody knows."""

ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
)
TENTHS = ("twentieth", "thirtieth")
ORDINAL = {word: value for value, word in enumerate(ORDINALS, 1)} | {"twentieth": 20, "thirtieth": 30}
CARDINAL = {word: value for value, word in enumerate((*ONES, *TEENS))}
CARDINAL |= {word: 10 * value for value, word in enumerate(TENS, 2)}
ORDINAL_SAID = re.compile(rf"(?<!\ba )(?<!\bone )\b(?:{'|'.join(ORDINAL)})\b", re.IGNORECASE)
"""But for "just a second"."""
CARDINAL_SAID = re.compile(rf"\b(?:{'|'.join(CARDINAL)})\b", re.IGNORECASE)
TENS_AND = re.compile(rf"\b({'|'.join(TENS)})[- ]({'|'.join((*ONES[1:], *ORDINALS[:9]))})\b", re.IGNORECASE)
HUNDREDS = re.compile(r"\b(\d{1,2}|a) hundred(?: and (\d{1,2}))?\b", re.IGNORECASE)
THOUSANDS = re.compile(r"\b(\d{1,3}|a) thousand(?:,? (?:and )?(\d{1,3}))?\b", re.IGNORECASE)
PLAIN_DAY = "|".join(DAYS)
RELATIVE = (
    (re.compile(r"\b(?:the )?day after tomorrow\b", re.IGNORECASE), 2),
    (re.compile(r"\btomorrow week\b", re.IGNORECASE), 8),
    (re.compile(r"\btomorrow\b", re.IGNORECASE), 1),
    (re.compile(r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", re.IGNORECASE), 0),
)
WEEKS = re.compile(
    rf"\b(?:(?P<n>a|one|two|three|1|2|3) weeks? (?:on |from |)(?P<day>{PLAIN_DAY}|today|tomorrow)"
    rf"|(?P<week>{PLAIN_DAY}) week|in (?P<in>a|one|two|three|1|2|3) weeks?)\b",
    re.IGNORECASE,
)
IN_DAYS = re.compile(r"\bin (\d{1,2}) days\b", re.IGNORECASE)
NEXT_DAY = re.compile(rf"\bnext ({PLAIN_DAY})\b", re.IGNORECASE)
A_DAY = re.compile(rf"\b({PLAIN_DAY})s?\b", re.IGNORECASE)
DATE_SAID = re.compile(
    rf"\b(?:on )?(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{'|'.join(MONTHS)})\b"
    rf"|\b(?:{'|'.join(MONTHS)}) (?:the )?\d{{1,2}}(?:st|nd|rd|th)?\b",
    re.IGNORECASE,
)
OF_MONTH = re.compile(r"\bthe (\d{1,2})(?:st|nd|rd|th)\b(?! (?:floor|time|one))", re.IGNORECASE)
ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
HALF = re.compile(
    r"\b(?P<part>half|quarter|(?:5|10|20|25)(?: minutes)?) (?P<side>past|to|after|before) (?P<hour>\d{1,2})\b"
    r"|\bhalf (?P<british>\d{1,2})\b",
    re.IGNORECASE,
)
MERIDIEM = r"(?:\s*(?P<half>a\.?m\b|p\.?m\b)\.?)?"
CLOCK = re.compile(rf"\b(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)(?!\d){MERIDIEM}", re.IGNORECASE)
SPOKEN = re.compile(
    r"\b(?P<hour>1?\d|2[0-3])(?: (?P<minute>[0-5]\d))?(?:\s*(?P<half>a\.?m\b|p\.?m\b)\.?|\s*o.?clock\b)", re.IGNORECASE
)
AT = re.compile(
    r"\b(?:at|around|about|after|before|by|make (?:it|that))\s+(?:around |about )?"
    r"(?P<hour>1?\d|2[0-3])(?: (?P<minute>[0-5]\d))?\b"
    r"(?!\s*(?:people|persons|guests|of us|adults?|nights?|days?|weeks?|seats|places|st\b|nd\b|rd\b|th\b|\d|/|-))",
    re.IGNORECASE,
)
BARE = re.compile(r"^\W*(?:(?:at|around|about|maybe|say|um|uh|yes|okay|make it|let's say|well)\W+)*"
                  r"(?P<hour>1?\d|2[0-3])(?: (?P<minute>[0-5]\d))?\W*(?:please|then|would be \w+|is \w+|if \w.*)?\W*$",
                  re.IGNORECASE)  # fmt: skip
HEARD_FOR = (
    (re.compile(r"\bpass(?= \d)", re.IGNORECASE), "past"),
    (re.compile(r"\b(?:order|corner|water)(?= (?:past|to) \d)", re.IGNORECASE), "quarter"),
    (re.compile(r"\bthen(?= (?:past|to) \d)", re.IGNORECASE), "10"),
    (re.compile(r"^\W*(1?\d)([0-5]\d)(?!\d)"), r"\1:\2"),
)
"""What the recogniser makes of times: "half pass 3", "order to 9", "then past 4", "515"."""
NOONS = re.compile(r"\b(?:noon|midday|midnight|lunch ?time)\b", re.IGNORECASE)
LATE = re.compile(r"\b(?:evening|tonight|dinner|supper)\b", re.IGNORECASE)
EVENING = re.compile(rf"{LATE.pattern}|\b(?:night|afternoon)\b", re.IGNORECASE)
MORNING = re.compile(r"\bmorning\b|\bbreakfast\b", re.IGNORECASE)
FIRST_AFTERNOON = 7
"""Of what is said without am or pm, hours below this are in the afternoon, where nobody knows when it is open."""
RUN = re.compile(
    rf"(?:\+|\bplus\b)?(?:[\s,.-]*\b(?:\d+|{'|'.join((*ONES, *TEENS, *TENS))}|oh|o|nought|double|triple|treble"
    r"|hundred)\b)+",
    re.IGNORECASE,
)
LEAST_UNASKED = 7
"""Digits in a row: so many a telephone number has at least that nobody asked for."""
MOST_CHARACTERS = 400
"""Of what is looked at for an address."""
EMAIL = re.compile(
    r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![A-Za-z0-9-])"
)
MARKS = {"dot": ".", "at": "@", "underscore": "_", "dash": "-", "hyphen": "-"}
"""As they are said."""
SPOKEN_MARK = re.compile(rf"\s*\b({'|'.join(MARKS)})\b\s*", re.IGNORECASE)
SINGLES = re.compile(r"\b(?:\d+\b[\s,-]*(?:(?:oh|o)\b[\s,-]*)*){2,}", re.IGNORECASE)
NUMBER = re.compile(r"\d+")
HOW_MANY = re.compile(
    r"\b(?P<many>\d+) (?:of us|of them|people|persons|guests|adults|seats|places|nights|days|pieces|copies|more)\b"
    r"|\b(?:for|party of|group of|make (?:it|that)|be) (?P<of>\d+)\b(?! ?(?:[ap]\.?m|o'clock|st|nd|rd|th|:))",
    re.IGNORECASE,
)
"""Plainly how many."""
OF_WHAT = re.compile(r"number(?!_of)|code|reference|(?:^|_)id(?:$|_)", re.IGNORECASE)
LEAST_OF_A_CODE = 3
"""Digits of a booking's number that was not asked for."""
NAMED = re.compile(
    r"\b(?i:my name is|my name's|this is|i'm|i am|it's|under the name(?: of)?|in the name of|name of|under)\s+"
    r"(?P<name>(?:(?:Dr|Mr|Mrs|Ms|Miss)\.? )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,2})"
)
NOT_A_NAME = re.compile(r"^(?:" + "|".join((*DAYS, *MONTHS)) + r"|I|The|Yes|No|OK|Okay|Hi|Hello)\b")
LIKE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One thing that must be known before something can be done."""

    name: str
    kind: AskKind = "text"
    say: str = ""
    """How it is asked for."""
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @property
    def question(self) -> str:
        return self.say or f"What is the {self.title}, please?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    value: str
    rest: str
    """What else was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What helps to understand a time of the day."""

    now: datetime
    day: str = ""
    """The date that is meant, if that is known."""
    late: bool = False
    """It is about the evening."""
    opens: Opens | None = None


def find(slot: Slot, words: str, around: Around, *, asked: bool) -> Found | None:
    """What of `words` the slot is filled with. `asked`: they answer the question for it; else it must be plain that
    this is meant."""
    match slot.kind:
        case "date":
            return _date(figures(words), around.now.date(), asked=asked)
        case "time":
            return _time(figures(words), around, asked=asked)
        case "number":
            return _number(figures(words), asked=asked, code=OF_WHAT.search(slot.name) is not None)
        case "phone":
            return _phone(words, asked=asked)
        case "email":
            return _email(words)
        case "choice":
            return _choice(slot.choices, words, asked=asked)
        case "name":
            return _name(words, asked=asked)
    text = " ".join(words.split())
    return Found(value=text, rest="") if asked and text else None


def said(slot: Slot, value: str, now: datetime) -> str:
    """How a value is read back."""
    match slot.kind:
        case "date":
            day = date.fromisoformat(value)
            ahead = (day - now.date()).days
            near = {0: "today", 1: "tomorrow"}.get(ahead)
            return near or f"{DAYS[day.weekday()]}, {MONTHS[day.month - 1]} {day.day}"
        case "time":
            hour, minute = value.split(":")
            return f"at {clock(60 * int(hour) + int(minute))}"
        case "phone":
            return read_out(value)
        case "email":
            return value.replace("@", " at ").replace(".", " dot ")
        case "number":
            return f"{slot.title} {' '.join(value)}" if len(value) > 3 else f"{slot.title} {value}"
    return value


def figures(words: str) -> str:
    """Numbers in words as figures: `the twenty-first` is `the 21st`, `half past three` is `half past 3`."""
    words = unicodedata.normalize("NFKC", words).replace("ı", "i")
    words = re.sub(r"\ba fortnight\b", "2 weeks", TENS_AND.sub(_tens_and, words), flags=re.IGNORECASE)
    words = ORDINAL_SAID.sub(lambda m: _th(ORDINAL[m[0].lower()]), words)
    words = CARDINAL_SAID.sub(lambda m: str(CARDINAL[m[0].lower()]), words)
    words = re.sub(r"(?<=\d),(?=\d{3}\b)", "", words)
    words = HUNDREDS.sub(lambda m: str(100 * _count(m[1]) + int(m[2] or 0)), words)
    return THOUSANDS.sub(lambda m: str(1000 * _count(m[1]) + int(m[2] or 0)), words)


def _count(word: str) -> int:
    return int(word) if word.isdigit() else 1


def _tens_and(found: re.Match[str]) -> str:
    tens, ones = CARDINAL[found[1].lower()], found[2].lower()
    return str(tens + CARDINAL[ones]) if ones in CARDINAL else _th(tens + ORDINAL[ones])


def _th(value: int) -> str:
    last = value % 10 if value not in (11, 12, 13) else 0
    return f"{value}{('th', 'st', 'nd', 'rd')[last] if last < 4 else 'th'}"


def _date(words: str, today: date, *, asked: bool) -> Found | None:
    if found := ISO.search(words):
        try:
            return _day(date(int(found[1]), int(found[2]), int(found[3])), found)
        except ValueError:
            return None
    words = re.sub(r"\bmay (?=be\b|have\b|not\b|also\b|i\b|we\b)", "might ", words, flags=re.IGNORECASE)
    if named := dates(words):
        day = next_date(*named[0], today)
        return None if day is None else Found(value=day.isoformat(), rest=DATE_SAID.sub(" ", words))
    if found := re.search(rf"\b(?:{PLAIN_DAY}),? {OF_MONTH.pattern}", words, re.IGNORECASE):
        return _of_month(int(found[1]), today, found)
    if found := WEEKS.search(words):
        weeks = {"a": 1, "one": 1, "two": 2, "three": 3}
        count = found["n"] or found["in"] or "1"
        ahead = timedelta(weeks=weeks.get(count.lower()) or int(count))
        return _day(_from(found["day"] or found["week"] or "today", today) + ahead, found)
    for form, days in RELATIVE:
        if found := form.search(words):
            return _day(today + timedelta(days=days), found)
    if found := IN_DAYS.search(words):
        return _day(today + timedelta(days=int(found[1])), found)
    if found := NEXT_DAY.search(words):  # not of this week any more
        day = next_weekday(weekday(found[1]), today)
        monday = today + timedelta(days=7 - today.weekday())
        return _day(day if day >= monday else day + timedelta(days=7), found)
    if found := A_DAY.search(words):
        return _day(next_weekday(weekday(found[1]), today), found)
    if found := OF_MONTH.search(words):
        return _of_month(int(found[1]), today, found)
    if asked and (found := re.fullmatch(r"\W*(\d{1,2})(?:st|nd|rd|th)\W*", words)):
        return _of_month(int(found[1]), today, found)
    return None


def _from(name: str, today: date) -> date:
    match name.lower():
        case "today":
            return today
        case "tomorrow":
            return today + timedelta(days=1)
    return next_weekday(weekday(name), today)


def _of_month(number: int, today: date, found: re.Match[str]) -> Found | None:
    """The next day of that number."""
    for ahead in range(62):
        day = today + timedelta(days=ahead)
        if day.day == number:
            return _day(day, found)
    return None


def _day(day: date, found: re.Match[str]) -> Found:
    return Found(value=day.isoformat(), rest=_without(found))


def _time(words: str, around: Around, *, asked: bool) -> Found | None:
    if asked:
        for form, meant in HEARD_FOR:
            words = form.sub(meant, words)
    if found := NOONS.search(words):
        return Found(value="00:00" if found[0].lower() == "midnight" else "12:00", rest=_without(found))
    if found := HALF.search(words):
        if found["british"]:
            minutes = 60 * int(found["british"]) + 30
        else:
            part = {"half": 30, "quarter": 15}.get(found["part"].lower()) or int(found["part"].split()[0])
            minutes = 60 * int(found["hour"]) + (part if found["side"].lower() in ("past", "after") else -part)
        half = None
    else:
        forms = (CLOCK, SPOKEN, BARE, AT) if asked else (CLOCK, SPOKEN, AT)
        found = next((match for form in forms if (match := form.search(words))), None)
        if found is None:
            return None
        minutes = 60 * int(found["hour"]) + int(found["minute"] or 0)
        half = found.groupdict().get("half")
    minutes = _of_the_day(minutes, half, words, around)
    return Found(value=f"{minutes // 60 % 24:02}:{minutes % 60:02}", rest=_without(found))


def _of_the_day(minutes: int, half: str | None, words: str, around: Around) -> int:
    """In which half of the day is it meant?"""
    if half is not None:
        return minutes % NOON + (NOON if half.lower().startswith("p") else 0)
    if minutes >= 13 * 60 or minutes < 60:
        return minutes
    early, late = minutes % NOON, minutes % NOON + NOON
    if MORNING.search(words):
        return early
    if EVENING.search(words):
        return late
    if around.opens is not None:
        day = date.fromisoformat(around.day) if around.day else around.now.date()
        can = [one for one in (early, late) if around.opens(day, one)]
        if len(can) == 1:
            return can[0]
    return late if around.late or early < FIRST_AFTERNOON * 60 else early


def _number(words: str, *, asked: bool, code: bool) -> Found | None:
    """`code`: its digits count, not how much it is."""
    if code:
        found = SINGLES.search(words) or NUMBER.search(words)
    else:
        found = HOW_MANY.search(words) or (NUMBER.search(words) if asked else None)
    if found is not None:
        told = found.groupdict().get("many") or found.groupdict().get("of") or found[0]
        value = re.sub(r"\D", "", re.sub(r"\boh?\b", "0", told, flags=re.IGNORECASE))
        plain = value.isascii() and (asked or not code or len(value) >= LEAST_OF_A_CODE)
        return Found(value=value, rest=_without(found)) if plain else None
    if asked and re.search(r"\b(?:just me|only me|myself|alone|me alone|a couple of us)\b", words, re.IGNORECASE):
        return Found(value="2" if "couple" in words.lower() else "1", rest="")
    return None


def _phone(words: str, *, asked: bool) -> Found | None:
    """The longest row of digits; where it is asked for, all of them may be meant."""
    runs = [(len(digits(found[0])), found) for found in RUN.finditer(words)]
    _, longest = max(runs, key=lambda run: run[0], default=(0, None))
    number = phone_number(longest[0]) if longest is not None else ""
    if longest is not None and len(number.lstrip("+")) >= LEAST_UNASKED:
        return Found(value=number, rest=_without(longest))
    number = phone_number(words) if asked else ""
    return Found(value=number, rest="") if number else None


def _email(words: str) -> Found | None:
    written = SPOKEN_MARK.sub(lambda m: MARKS[m[1].lower()], words[:MOST_CHARACTERS])
    found = EMAIL.search(re.sub(r"(?<=\w) +(?=\d+@)", "", written))
    if found is None:
        return None
    return Found(value=found[0].lower(), rest=_without(found).replace("@", " at "))


def _choice(choices: tuple[str, ...], words: str, *, asked: bool) -> Found | None:
    """The one whose own words were said, or something very like them; none where two are as likely."""
    heard = _plain(words)
    each = [set(_plain(choice)) for choice in choices]
    shared = set[str]() if len(each) < 2 else set.intersection(*each)
    scores: list[tuple[float, str]] = []
    for choice, wanted in zip(choices, each, strict=True):
        own = (wanted - shared) or wanted
        like = [max((SequenceMatcher(None, one, word).ratio() for word in heard), default=0.0) for one in own]
        scores.append((sum(one >= LIKE for one in like) / max(1, len(own)), choice))
    best, *others = sorted(scores, reverse=True)
    least = 0.5 if asked else 1.0
    if best[0] < least or any(score == best[0] for score, _ in others):
        return None
    return Found(value=best[1], rest=words)


def _plain(words: str) -> list[str]:
    return [word for word in re.findall(r"\w+", words.lower()) if word not in ("a", "an", "the", "of", "in", "with")]


def _name(words: str, *, asked: bool) -> Found | None:
    if asked:
        name = person(words)
        return Found(value=name, rest="") if name else None
    found = NAMED.search(words)
    if found is None or NOT_A_NAME.match(found["name"]):
        return None
    return Found(value=found["name"], rest=_without(found))


def _without(found: re.Match[str]) -> str:
    return f"{found.string[: found.start()]} {found.string[found.end() :]}"
