"""Names, numbers, yes and no, as callers say them and a recogniser writes them."""

from __future__ import annotations

import pytest

from appliance.knowledge.dictation import agrees, digits, drops, number_of, person, phone_number, read_out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("oh seven seven nine", "0779"),
        ("Oh, seven, double seven, nine.", "07779"),
        ("0779 555 12 34", "07795551234"),
        ("0779-555-1234.", "07795551234"),
        ("plus four four, twenty, seven nine four six", "+44207946"),
        ("plus forty-four twenty-three", "+4423"),
        ("triple five one", "5551"),
        ("eight hundred", "800"),
        ("It's four for two", "442"),
        ("I have two too many", "2"),
        ("for Anna, to the office", ""),
        ("nothing at all", ""),
        ("+49 30 123456", "+4930123456"),
    ],
)
def test_digits_however_they_are_said(words: str, found: str) -> None:
    assert digits(words) == found


def test_a_telephone_number_has_5_to_15_digits() -> None:
    assert phone_number("one two three four") == ""
    assert phone_number("one two three four five") == "12345"
    assert phone_number("1" * 16) == ""


def test_it_is_read_as_one_reads_to_somebody_who_writes() -> None:
    assert read_out("07795551234") == "0 7 7, 9 5 5, 5 1 2, 3 4"
    assert read_out("+4930") == "plus 4 9 3, 0"
    assert read_out("") == ""


@pytest.mark.parametrize(
    ("address", "number"),
    [("+4930123@pbx.example", "+4930123"), ("4930123", "4930123"), ("100@pbx", ""), ("ann@pbx", ""), ("", "")],
)
def test_the_number_a_caller_calls_from(address: str, number: str) -> None:
    assert number_of(address) == number


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Peter Miller.", "Peter Miller"),
        ("my name is peter miller", "Peter Miller"),
        ("Yes, it's Peter Miller, please.", "Peter Miller"),
        ("This is Anna O'Neill speaking.", "Anna O'Neill"),
        ("Hi, um, I'm Jean-Luc de la Tour", "Jean-Luc De La Tour"),
        ("Miller, that's M I L L E R", "Miller"),
        ("Peter Meyer, M-E-I-E-R", "Peter Meier"),
        ("No, it's Smith", "Smith"),
        ("What are your opening hours?", ""),
        ("Do you take cards", ""),
        ("I would rather not say", ""),
        ("", ""),
        ("0779 555", ""),
    ],
)
def test_a_name_however_it_is_said(words: str, name: str) -> None:
    assert person(words) == name


@pytest.mark.parametrize(
    ("words", "agreed"),
    [
        ("Yes.", True),
        ("Yeah, that's right.", True),
        ("That is correct, thank you.", True),
        ("Um, yes please", True),
        ("No.", False),
        ("Oh no, that's wrong", False),
        ("That's not right", False),
        ("It's not correct", False),
        ("My name is Ann", None),
        ("Where are you?", None),
        ("Nobody knows", None),
    ],
)
def test_yes_no_or_neither(words: str, agreed: bool | None) -> None:
    assert agrees(words) is agreed


@pytest.mark.parametrize(
    ("words", "dropped"),
    [
        ("Never mind.", True),
        ("Oh forget it", True),
        ("Cancel that, please", True),
        ("Stop.", True),
        ("Tell him to stop the works", False),
    ],
)
def test_a_caller_may_think_better_of_it(words: str, dropped: bool) -> None:
    assert drops(words) is dropped
