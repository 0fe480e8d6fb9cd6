"""The business's words, heard again."""

from __future__ import annotations

import pytest

from appliance.knowledge.lexicon import MOST_CHARACTERS, Lexicon, lexicon

WRITTEN = """# Riverside Dental Practice

Priya Shah is the hygienist. Dr Omar Nadir treats children; see Nadir's page.

- Bicycles can be locked here.
- The lift goes to all floors.
"""
KNOWN = lexicon(WRITTEN)


def test_names_are_told_first_then_the_longest_words() -> None:
    terms = KNOWN.terms.split(", ")
    assert {"Omar", "Nadir", "Shah", "Dental", "Practice"} <= set(terms[:7])
    assert terms.index("hygienist") < terms.index("lift")
    assert "the" not in terms


def test_no_more_is_told_than_can_be_kept_in_mind() -> None:
    much = lexicon(" ".join(f"word{'x' * (i % 30)}{i}" for i in range(2000)))
    assert len(much.terms) <= MOST_CHARACTERS
    assert len(much.words) > 1000, "but all are known"


@pytest.mark.parametrize(
    ("heard", "again", "mended"),
    [
        ("What is the name of the high-genest?", "What is the name of the hygienist?", None),
        ("Is doctor Nader here.", "Is doctor Nadir here?", "Is doctor Nadir here."),
        ("Where is doctor nader's room?", "Where is doctor Nadir's room?", "Where is doctor Nadir's room?"),
        ("", "Riverside Dental", ""),
        ("I can't come at zorp.", "I can come at Shah.", "I can't come at Shah."),
        ("yes zorblat please", "yes … please", "yes zorblat please"),
        ("Are you the hygienest's?", "Are you the hygienists?", "Are you the hygienists?"),
        ("You", "B-B-B-B", "You"),
        ("Press two.", "Press two. Press two.", "Press two."),
        ("The lift is broken.", "The shift is broken.", "The lift is broken."),
        ("Is the lift here?", "Is the hygienist here?", "Is the lift here?"),
    ],
)
def test_of_the_second_hearing_only_known_words_in_place_of_unknown_ones_count(
    heard: str, again: str, mended: str | None
) -> None:
    assert KNOWN.mend(heard, again) == (again if mended is None else mended)


def test_who_knows_nothing_mends_nothing() -> None:
    assert Lexicon().mend("Is doctor Nader here?", "Is doctor Nadir here?") == "Is doctor Nader here?"
