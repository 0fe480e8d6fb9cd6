"""What is understood of days, times, numbers and addresses."""

from __future__ import annotations

import time
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.knowledge.slots import Around, Slot, figures, find, said
from appliance.terms.config import AskKind

TUESDAY = datetime(2026, 3, 10, 10, 15)
AROUND = Around(now=TUESDAY)


def value(kind: AskKind, words: str, *, asked: bool = True, name: str = "it", around: Around = AROUND) -> str | None:
    slot = Slot(name=name, kind=kind, choices=("check-up", "cleaning", "a broken tooth"))
    found = find(slot, words, around, asked=asked)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("today", "2026-03-10"),
        ("Tomorrow, please.", "2026-03-11"),
        ("the day after tomorrow", "2026-03-12"),
        ("on Friday", "2026-03-13"),
        ("next Thursday", "2026-03-19"),
        ("a week on Monday", "2026-03-23"),
        ("Friday week", "2026-03-20"),
        ("in two weeks", "2026-03-24"),
        ("in three days", "2026-03-13"),
        ("on the twenty-first", "2026-03-21"),
        ("Thursday the 12th", "2026-03-12"),
        ("the 9th", "2026-04-09"),
        ("on the third of April", "2026-04-03"),
        ("April 3rd", "2026-04-03"),
        ("2026-05-01", "2026-05-01"),
        ("on Christmas Eve", "2026-12-24"),
        ("as soon as you can", None),
        ("on the third floor", None),
        ("2026-13-40", None),
    ],
)
def test_days(words: str, day: str | None) -> None:
    assert value("date", words) == day


@pytest.mark.parametrize(
    ("words", "time"),
    [
        ("half past three", "15:30"),
        ("quarter to nine", "08:45"),
        ("ten past four", "16:10"),
        ("7:30 pm", "19:30"),
        ("7.30", "07:30"),
        ("at 4 p.m.", "16:00"),
        ("12 am", "00:00"),
        ("noon", "12:00"),
        ("seven thirty", "07:30"),
        ("eleven", "11:00"),
        ("half nine in the evening", "21:30"),
        ("around three", "15:00"),
        ("nine o'clock in the morning", "09:00"),
        ("18:45", "18:45"),
        ("at half pass 3.", "15:30"),
        ("Order to 9.", "08:45"),
        ("Then past 4.", "16:10"),
        ("515", "17:15"),
        ("any time", None),
        ("25:80", None),
    ],
)
def test_times(words: str, time: str | None) -> None:
    assert value("time", words) == time


def test_the_half_of_the_day_follows_opening_hours_and_what_it_is_about() -> None:
    def in_the_evening(day: date, minute: int) -> bool:
        assert day == date(2026, 3, 13)
        return minute >= 17 * 60

    assert value("time", "at eight", around=Around(now=TUESDAY, day="2026-03-13", opens=in_the_evening)) == "20:00"
    assert value("time", "at eight", around=Around(now=TUESDAY, late=True)) == "20:00"
    assert value("time", "at eight", around=Around(now=TUESDAY, opens=lambda day, minute: None)) == "08:00"


@pytest.mark.parametrize(
    ("words", "asked", "time"),
    [("a table for four at seven", False, "07:00"), ("four of us", False, None), ("a table for four", False, None)],
)
def test_how_many_is_no_time(words: str, asked: bool, time: str | None) -> None:
    assert value("time", words, asked=asked) == time


@pytest.mark.parametrize(
    ("words", "asked", "name", "number"),
    [
        ("just the two of us", True, "guests", "2"),
        ("twenty-five people", True, "guests", "25"),
        ("a hundred and twenty", True, "guests", "120"),
        ("just me", True, "guests", "1"),
        ("Five two oh nine eight.", True, "booking_number", "52098"),
        ("it's 77 426", True, "booking_number", "77426"),
        ("I ordered two pizzas", False, "order_number", None),
        ("The number's 4471.", False, "order_number", "4471"),
        ("no idea", True, "guests", None),
    ],
)
def test_numbers_count_or_are_spelled(words: str, asked: bool, name: str, number: str | None) -> None:
    assert value("number", words, asked=asked, name=name) == number


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("It's anna dot miller at example dot com.", "anna.miller@example.com"),
        ("anna.miller@Example.com.", "anna.miller@example.com"),
        ("tom underscore reed 84 at example dot co dot uk", "tom_reed84@example.co.uk"),
        ("I have none", None),
    ],
)
def test_addresses(words: str, address: str | None) -> None:
    assert value("email", words) == address


@pytest.mark.parametrize(
    ("words", "choice"),
    [("a check up please", "check-up"), ("I broke a tooth", "a broken tooth"), ("Cleanings", "cleaning"), ("no", None)],
)
def test_choices(words: str, choice: str | None) -> None:
    assert value("choice", words) == choice


def test_names_are_taken_where_they_are_asked_for_or_given_as_such() -> None:
    assert value("name", "It's Peter Miller.") == "Peter Miller"
    assert value("name", "Hello, this is Peter Miller, I need a table", asked=False) == "Peter Miller"
    assert value("name", "I'm Friday free", asked=False) is None
    assert value("text", "It makes a noise", asked=False) is None
    assert value("text", "It makes a noise") == "It makes a noise"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("the twenty-first of May", "the 21st of May"),
        ("half past three", "half past 3"),
        ("two hundred and five", "205"),
        ("the eleventh and the twelfth", "the 11th and the 12th"),
    ],
)
def test_figures(words: str, written: str) -> None:
    assert figures(words) == written


@pytest.mark.parametrize(
    ("kind", "kept", "spoken"),
    [
        ("date", "2026-03-11", "tomorrow"),
        ("date", "2026-03-19", "Thursday, March 19"),
        ("time", "15:30", "at 3:30 pm"),
        ("phone", "07700900142", "0 7 7, 0 0 9, 0 0 1, 4 2"),
        ("email", "a.b@example.com", "a dot b at example dot com"),
        ("number", "4", "it 4"),
        ("number", "52098", "it 5 2 0 9 8"),
        ("name", "Ann", "Ann"),
    ],
)
def test_what_was_understood_is_read_back(kind: AskKind, kept: str, spoken: str) -> None:
    assert said(Slot(name="it", kind=kind), kept, TUESDAY) == spoken


@pytest.mark.parametrize(
    ("kind", "words", "asked", "kept"),
    [
        ("email", "Book a haircut tomorrow at 5. My name is Anna Miller.", False, None),
        ("phone", "A table tomorrow at 7 for 4 people, my number is 07799 123456", False, "07799123456"),
        ("phone", "two of us at seven on the third", False, None),
        ("number", "1,200", True, "1200"),
        ("number", "a hundred thousand", True, "100000"),
        ("number", "just a second", True, None),
        ("number", "٣", True, None),
        ("date", "two may be enough", True, None),
        ("date", "the 31st of February", True, None),
        ("time", "25 o'clock", True, None),
    ],
)
def test_what_only_looks_like_it(kind: AskKind, words: str, asked: bool, kept: str | None) -> None:
    assert value(kind, words, asked=asked) == kept


def test_what_else_is_said_beside_a_phone_number_is_not_lost() -> None:
    found = find(Slot(name="phone", kind="phone"), "Tomorrow at 7, on 07799 123456", AROUND, asked=False)
    assert found is not None
    assert "Tomorrow at 7" in found.rest


def test_a_choice_that_nobody_made_is_not_taken() -> None:
    tables = Slot(name="where", kind="choice", choices=("Table inside", "Table outside"))
    assert find(tables, "I'd like to book a table", AROUND, asked=False) is None
    assert find(tables, "a table", AROUND, asked=True) is None
    inside = find(tables, "the one inside", AROUND, asked=True)
    assert inside is not None
    assert inside.value == "Table inside"


@given(
    kind=st.sampled_from(("text", "name", "phone", "email", "number", "date", "time", "choice")),
    words=st.text(max_size=200) | st.from_regex(r"([a-zı ſ0-9.,@-]+ ?){0,30}", fullmatch=True),
    asked=st.booleans(),
)
def test_whatever_is_said_is_looked_at(kind: AskKind, words: str, asked: bool) -> None:
    slot = Slot(name="booking_number", kind=kind, choices=("yes", "no", "maybe so"))
    found = find(slot, words, AROUND, asked=asked)
    if found is not None:
        said(slot, found.value, TUESDAY)


@pytest.mark.parametrize("words", ["a-" * 500, "a dot " * 300, "at dot " * 300, "1 " * 900, ". " * 1000, "@" * 1000])
def test_nothing_takes_long(words: str) -> None:
    before = time.process_time()
    for kind in ("text", "name", "phone", "email", "number", "date", "time", "choice"):
        value(kind, words, asked=False)
    assert time.process_time() - before < 1.0
