"""Clauses out of tokens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.chunker import LATER_MAX_WORDS, WEAK, Chunker


def clauses(text: str, *, size: int = 4) -> list[str]:
    """What comes of `text` in pieces of `size` characters."""
    chunker = Chunker()
    out = [clause for i in range(0, len(text), size) for clause in chunker.feed(text[i : i + size])]
    return out + chunker.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, we are open today.", ["Yes,", "we are open today."]),
        ("We close at 6 p.m. on Friday.", ["We close at 6 p.m.", "on Friday."]),
        ("The room costs 10.50 an hour.", ["The room costs", "10.50 an hour."]),
        ("Ask Mr. Brown.", ["Ask Mr. Brown."]),
        ("Hello! How are you? Fine.", ["Hello!", "How are you?", "Fine."]),
        ("We open at eight – café too.", ["We open at eight –", "café too."]),
        ("One\ntwo", ["One", "two"]),
        ("", []),
        ("   ", []),
    ],
)
def test_where_clauses_end(text: str, expected: list[str]) -> None:
    assert clauses(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "We are open Monday to Friday from 8 am to 6 pm and Saturday from 9 am to 1 pm. On Sunday we are closed.",
        "Coffee: the kitchen is on the first floor, and coffee and tea are free.",
        "A meeting room costs 20 euros an hour.",
    ],
)
def test_what_comes_all_at_once_is_cut_like_what_comes_by_the_word(text: str) -> None:
    assert clauses(text, size=1000) == clauses(text, size=1)


def test_the_first_clause_comes_after_three_words_but_not_after_a_weak_one() -> None:
    first, *_ = clauses("You can find free parking places behind the building all day long")
    assert first == "You can find"
    chunker = Chunker(first_words=5)
    assert chunker.feed("You can find free parking places behind") == ["You can find free parking"]
    first, *_ = clauses("Our house is at the corner of the street and the park")
    assert first.split()[-1] not in WEAK


WORD = st.text("abcdefghij", min_size=1, max_size=8)


@given(st.lists(st.tuples(WORD, st.sampled_from(["", "", "", ",", ".", "?", ";"])), max_size=80), st.integers(1, 30))
def test_no_word_is_lost_or_changed_and_no_clause_is_endless(words: list[tuple[str, str]], size: int) -> None:
    text = " ".join(word + mark for word, mark in words)
    found = clauses(text, size=size)
    assert " ".join(found) == text.strip()
    assert all(found)
    for clause in found:
        strong = [w for w in re.findall(r"\S+", clause) if w.lower() not in WEAK and not w[-1].isdigit()]
        assert len(strong) <= LATER_MAX_WORDS + 1
