"""What words say about a turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.wording import Words, asks_to_wait, finished, judged, murmured, same, says_goodbye, settled


@pytest.mark.parametrize(
    "text",
    [
        "When are you open?",
        "Parking",
        "Thank you.",
        "I would like to book a room",
    ],
)
def test_whole_utterances_are_finished(text: str) -> None:
    assert finished(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "When are you open and",
        "My name is",
        "I'd like to...",
        "Could you tell me?",
        "On Monday,",
        "Tell me the",
        "Um",
        "I have a meeting with.",
    ],
)
def test_a_trailing_word_that_needs_another_is_not_finished(text: str) -> None:
    assert not finished(text)


@pytest.mark.parametrize(
    ("text", "ends", "verdict"),
    [
        ("When are you open?", 0.26, Words.ASKED),
        ("Who is the manager?", 0.06, Words.PERHAPS),
        ("When are you?", 0.0, Words.UNFINISHED),
        ("Which floor was that?", 0.18, Words.ASKED),
        ("I left my umbrella here.", 0.27, Words.TOLD),
        ("I am looking for the printer.", 0.1, Words.UNFINISHED),
        ("I would like to know where I can park.", 0.2, Words.ASKED),
        ("", 0.9, Words.UNFINISHED),
        ("Stop!", 0.0, Words.ASKED),
        ("No, thank you.", 0.0, Words.ASKED),
        ("My number is five five five", 0.07, Words.DICTATED),
        ("It is spelled L O P", 0.0, Words.DICTATED),
        ("0 1 4 7", 0.5, Words.DICTATED),
        ("My name is John.", 0.3, Words.DICTATED),
        ("What is your phone number?", 0.3, Words.ASKED),
        ("When are you open?", None, Words.LIKELY),
        ("When are you open and", None, Words.UNFINISHED),
    ],
)
def test_the_language_model_and_a_few_words_judge(text: str, ends: float | None, verdict: Words) -> None:
    assert judged(text, ends) is verdict


@pytest.mark.parametrize("text", ["", "...", "Mm-hmm.", "Mhm", "Okay.", "Right, okay.", "Yeah, yeah.", "I see.", "Oh!"])
def test_murmurs(text: str) -> None:
    assert murmured(text)


@pytest.mark.parametrize(
    "text", ["Stop!", "No.", "Wait.", "Okay, but when?", "What?", "Thank you, goodbye.", "Right now?"]
)
def test_what_means_us_is_no_murmur(text: str) -> None:
    assert not murmured(text)


@pytest.mark.parametrize(
    "text", ["Hold on.", "One moment, please.", "Just a second.", "Wait a minute", "Let me check."]
)
def test_a_caller_may_ask_for_a_moment(text: str) -> None:
    assert asks_to_wait(text)


@pytest.mark.parametrize(
    "text", ["One.", "Okay.", "Wait, when are you open?", "Is there a moment to talk to Maria?", ""]
)
def test_other_things_are_asked_for_too(text: str) -> None:
    assert not asks_to_wait(text)


@pytest.mark.parametrize(
    ("before", "now", "sure"),
    [
        ("", "When are", ""),
        ("When are", "When are you", "When are"),
        ("When are.", "when are you open", "when are"),
        ("Where can I park my", "When can I park my car", ""),
        ("Where can I park", "Where can I park", "Where can I"),
    ],
)
def test_what_two_transcripts_agree_on_is_settled(before: str, now: str, sure: str) -> None:
    assert settled(before, now) == sure


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_is_too_strange(one: str, other: str) -> None:
    judged(one, 0.5)
    murmured(one)
    asks_to_wait(one)
    assert same(one, one)
    assert settled(one, other) in " ".join(other.split())


def test_the_same_words_whatever_the_marks() -> None:
    assert same("When are you open?", "when are you open...")
    assert not same("When are you open?", "When are you open on Monday?")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Goodbye.", True),
        ("Bye bye!", True),
        ("Okay, thank you very much, bye.", True),
        ("No, that's all, thanks. Have a nice day. Goodbye!", True),
        ("Good night.", True),
        ("Thank you.", False),
        ("That's all.", False),
        ("Can I buy a ticket?", False),
        ("Bye the way, where is it?", False),
        ("Goodbye to my money, is it really 40 euros?", False),
        ("", False),
    ],
)
def test_a_goodbye_and_nothing_else(text: str, parts: bool) -> None:
    assert says_goodbye(text) is parts
