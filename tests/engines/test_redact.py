"""What callers say of themselves, taken out of what leaves, and put back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.contracts import Message
from appliance.engines.redact import Redaction


@pytest.mark.parametrize(
    ("said", "leaves"),
    [
        ("My name is Anna Schmidt and I need a room.", "My name is [name 1] and I need a room."),
        ("Call me at 0779 123 45 67 please.", "Call me at [number 1] please."),
        ("It is anna.schmidt@example.org or anna at example dot org.", "It is [address 2] or [address 1]."),
        ("Hello, this is Bob. I'm Bob.", "Hello, this is [name 1]. I'm [name 1]."),
        ("Are you open at 8 on Saturday?", "Are you open at 8 on Saturday?"),
        ("I am looking for Mrs. Miller.", "I am looking for Mrs. [name 1]."),
    ],
)
def test_numbers_addresses_and_names(said: str, leaves: str) -> None:
    redaction = Redaction()
    assert redaction.text(said) == leaves
    assert redaction.show(leaves) + redaction.rest() == said


def test_the_same_thing_has_the_same_placeholder_all_along_and_the_owner_is_not_touched() -> None:
    redaction = Redaction()
    told = [
        Message("system", "The number is 030 1234567."),
        Message("user", "My name is Anna."),
        Message("assistant", "Hello Anna."),
    ]
    assert [m.text for m in redaction.hide(told)] == [told[0].text, "My name is [name 1].", "Hello [name 1]."]


@given(
    st.lists(st.sampled_from(["Hello ", "[name 1]", ", your number is ", "[number 1]", ". [", "] [x] "])),
    st.integers(1, 5),
)
def test_an_answer_in_pieces_is_the_answer_in_one(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole, pieces = Redaction(), Redaction()
    for redaction in (whole, pieces):
        redaction.text("My name is Anna, 0779 123456.")
    expected = text.replace("[name 1]", "Anna").replace("[number 1]", "0779 123456")
    shown = "".join(pieces.show(text[i : i + size]) for i in range(0, len(text), size)) + pieces.rest()
    assert shown == expected
