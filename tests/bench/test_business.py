"""Businesses to be evaluated on: read whole, and judged fairly."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.app.evaluate import summary
from appliance.bench.business import Question, load
from appliance.terms.errors import BadInput

BUSINESSES = Path(__file__).parents[2] / "benchmarks" / "businesses"


@pytest.mark.parametrize("name", ["harbour-house", "dental-practice", "hotel", "garage", "library"])
def test_ours_are_whole(name: str) -> None:
    business = load(BUSINESSES / name)
    kinds = [question.kind for question in business.questions]
    assert len(kinds) >= 56
    assert min(kinds.count(kind) for kind in ("fact", "hours", "unknown")) >= 10
    assert all(question.never for question in business.questions if question.kind == "unknown")


@pytest.mark.parametrize(
    ("reply", "right", "invented"),
    [
        ("I do not know that. Shall I take a message?", True, False),
        ("I'm sorry, the price is not mentioned.", True, False),
        ("I don't have information about that.", True, False),
        ("A crown costs 300 pounds.", False, True),
        ("I do not know, but usually it is 300 pounds.", False, True),
        ("Please come in.", False, False),
    ],
)
def test_what_is_unknown_is_right_where_it_is_admitted_and_nothing_is_invented(
    reply: str, right: bool, invented: bool
) -> None:
    question = Question(ask="What does a crown cost?", kind="unknown", never=("pounds", r"\d"))
    assert (question.right(reply), question.invented(reply)) == (right, invented)


def test_to_quote_the_owner_is_no_invention_but_no_admission_either() -> None:
    question = Question(ask="What does a crown cost?", kind="unknown", never=("pounds", r"\d"))
    written = ["A filling costs 110 pounds.", "Come in."]
    quoted = "I'm not sure about that. What I do know is this: A filling costs 110 pounds."
    assert (question.right(quoted, written), question.invented(quoted, written)) == (True, False)
    assert (question.right(written[0], written), question.invented(written[0], written)) == (False, False)
    assert question.invented("A crown costs 110 pounds.", written)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no [[question]]"),
        ("question = 3", "no [[question]]"),
        ('[[question]]\nexpect = ["x"]', "question 1: ask is missing"),
        ('[[question]]\nask = "x"', "question 1: expect is missing"),
        ('[[question]]\nask = "x"\nexpect = ["("]', "question 1"),
        ('[[question]]\nask = "x"\nexpect = ["x"]\n[[question]]\nask = "y"\nkind = "z"', "question 2: kind is one of"),
        ('[[question]]\nask = "x"\nexpect = ["x"]\nwhy = 1', "why is not known"),
        ('[[question]]\nask = "x"\nexpect = ["x"]\nnow = "noon"', "question 1"),
        ("[[question", "questions.toml"),
    ],
)
def test_what_is_wrong_with_one_is_told(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "questions.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load(tmp_path)
    assert says in str(caught.value)


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"questions\.toml"):
        load(tmp_path / "none")


def test_the_summary_is_by_kind() -> None:
    asked = {"ask": "Are dogs welcome?", "heard": "Are frogs welcome?"}
    rows = [
        {"kind": "fact", "right": True, "invented": False, **asked},
        {"kind": "fact", "right": False, "invented": False, **asked},
        {"kind": "unknown", "right": False, "invented": True, **asked},
    ]
    assert summary(rows) == {
        "fact": {"asked": 2, "right": 0.5},
        "unknown": {"asked": 1, "right": 0.0},
        "wer": 0.3333,
        "invented": 1.0,
    }
