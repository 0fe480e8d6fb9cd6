"""Passages found by what they mean and by their words."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.knowledge import index
from appliance.knowledge.index import CANDIDATES, Index
from appliance.knowledge.matching import content, lacks
from appliance.knowledge.passages import Passage, cut

from .reading import WordReader, meaning

WRITTEN = """# Mill

A single room costs 120 francs.
A double room costs 180 francs.
Dogs are welcome in the garden.
The manager is Ann Bell.

## Do you take cards?
Yes, all of them.
"""


async def known(written: str = WRITTEN) -> Index:
    return Index(await index.entries(WordReader(), cut(written, "a.md")))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What does a single room cost in francs?", "A single room costs 120 francs."),
        ("Are dogs welcome?", "Dogs are welcome in the garden."),
        ("Do you take cards?", "Yes, all of them."),
    ],
)
async def test_the_likeliest_passage_is_the_first(question: str, answer: str) -> None:
    matches = (await known()).find(question, meaning(question))
    assert matches[0].entry.passage.text == answer
    assert matches[0].chance > matches[1].chance


async def test_where_nothing_is_known_nothing_is_found() -> None:
    assert Index([]).find("Are dogs welcome?", meaning("Are dogs welcome?")) == []
    assert (await known()).find("", meaning("")) == []


async def test_a_rare_word_finds_its_passage_among_thousands_that_mean_more_alike() -> None:
    many = "\n".join(f"- The room number {number} costs {number} francs a night." for number in range(300))
    found = (await known(f"{many}\n- The sauna.")).find(
        "What the room number francs a night sauna?", meaning("What the room number francs a night sauna?")
    )
    assert len(found) <= 2 * CANDIDATES
    assert "The sauna." in [match.entry.passage.text for match in found]


def test_what_says_nothing_of_the_matter_is_left_out() -> None:
    question = meaning("Could you please tell me whether the dogs are welcome")
    assert [question.words[at] for at in content(question)] == ["whether", "dogs", "welcome"]
    assert len(content(meaning("Could you please"))) == 3, "all of it, where nothing else is there"


@pytest.mark.parametrize(
    ("question", "passage", "lacking"),
    [
        ("How much is a room?", "Rooms have a bath.", 1.0),
        ("How much is a room?", "A room costs 120 francs.", 0.0),
        ("How much is a room?", "Rooms are free for children.", 0.0),
        ("Who is the manager?", "The manager is Ann Bell.", 0.0),
        ("Who is the manager?", "The manager is in the garden.", 1.0),
        ("How long does it take?", "It takes 20 minutes.", 0.0),
        ("How long does it take?", "It costs 20 francs.", 1.0),
        ("Is there a lift?", "There is a lift.", 0.0),
    ],
)
def test_what_an_answer_must_have(question: str, passage: str, lacking: float) -> None:
    assert lacks(question, Passage(text=passage)) == lacking


async def test_an_entry_means_its_question_too() -> None:
    (entry,) = await index.entries(WordReader(), [Passage(text="Yes.", asked="Do you take cards?")])
    np.testing.assert_allclose(entry.alone, meaning("Do you take cards?").whole)
    assert entry.placed.words == ("do", "you", "take", "cards", "yes")
