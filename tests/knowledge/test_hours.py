"""Opening hours as owners write them, and what callers ask about them."""
# ruff: noqa: E501 - tables of sentences

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.knowledge.calendar import MIDNIGHT, clock, minutes, named
from appliance.knowledge.hours import read
from appliance.knowledge.when import answer

BUSINESSES = Path(__file__).parents[2] / "benchmarks" / "businesses"
DEFAULT = Path(__file__).parents[2] / "appliance" / "app" / "defaults" / "harbour-house.md"
TUESDAY = datetime(2026, 3, 10, 10, 15)


def week(text: str) -> dict[str, str]:
    """Each part's hours, by day, as a line."""
    found = {}
    for hours in read(text):
        days = [
            ",".join(f"{a // 60}:{a % 60:02}-{b // 60}:{b % 60:02}" for a, b in hours.week.get(d, [])) for d in range(7)
        ]
        found[hours.subject] = " ".join(day or ("x" if d in hours.week else "?") for d, day in enumerate(days))
    return found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm. On Sunday we are closed.",
            {"": "8:00-18:00 8:00-18:00 8:00-18:00 8:00-18:00 8:00-18:00 9:00-13:00 x"},
        ),
        ("Mon-Fri 9-5, Sat 10-2", {"": "9:00-17:00 9:00-17:00 9:00-17:00 9:00-17:00 9:00-17:00 10:00-14:00 ?"}),
        ("Open daily 7:30 – 22:00", {"": " ".join(["7:30-22:00"] * 7)}),
        (
            "Opening hours: 8 to noon and 1 to 5, Monday and Thursday.",
            {"": "8:00-12:00,13:00-17:00 ? ? 8:00-12:00,13:00-17:00 ? ? ?"},
        ),
        ("The reception is open every day from 6:30 to 23:00.", {"The reception": " ".join(["6:30-23:00"] * 7)}),
        (
            "The restaurant serves dinner from 18:00 to 21:30. It is closed on Mondays.",
            {"The restaurant": " ".join(["x", *["18:00-21:30"] * 6])},
        ),
        (
            "Breakfast is served from 7 to 10 in the winter garden, at weekends until 11.",
            {"Breakfast": " ".join([*["7:00-10:00"] * 5, *["7:00-11:00"] * 2])},
        ),
        ("The bar is open until midnight.", {}),
        ("Check-in is from 3 pm, check-out until 11 am.", {}),
        ("Call before 9 in the morning. Dr. Nadir is here on Tuesdays and Thursdays.", {}),
        ("Room 12 to 14 are on the second floor.", {}),
        ("On Sundays children aged 4 to 12 eat free.", {}),
        (
            "We are open on Monday from 8 to 12. On Christmas Eve we are open from 9 to 11.",
            {"": "8:00-12:00 ? ? ? ? ? ?"},
        ),
        ("On Saturdays 10 to 2, closed on 24 December.", {"": "? ? ? ? ? 10:00-14:00 ?"}),
    ],
)
def test_what_owners_write(text: str, told: dict[str, str]) -> None:
    assert week(text) == told


HOUSE = """# Shop
We are open Monday to Thursday 8:30 to 17:30, Friday 8:30 to 13:00. Closed on Saturday and Sunday.
Closed on 25 December and 1 January.
The sauna is open from 16:00 to 21:00.
"""


@pytest.mark.parametrize(
    ("question", "now", "told"),
    [
        ("Are you open now?", "2026-03-10T10:15", "Yes, we are open now, until 5:30 pm."),
        ("Are you still open?", "2026-03-10T17:30", "No, we are closed now. We open again tomorrow at 8:30 am."),
        ("Are you open?", "2026-03-13T13:00", "No, we are closed now. We open again on Monday at 8:30 am."),
        ("Are you open today?", "2026-03-10T06:00", "Yes, today we are open from 8:30 am to 5:30 pm."),
        ("Um, are you open on Saturday?", "2026-03-10T10:15", "No, on Saturday we are closed."),
        ("When do you close today?", "2026-03-13T09:00", "Today we close at 1 pm."),
        (
            "When do you open tomorrow?",
            "2026-03-13T09:00",
            "Tomorrow we are closed. We open again on Monday at 8:30 am.",
        ),
        ("Are you open on New Year's Day?", "2026-12-30T09:00", "No, on New Year's Day we are closed."),
        (
            "Are you open on the 24th of December?",
            "2026-12-10T09:00",
            "Yes, on December 24 we are open from 8:30 am to 5:30 pm.",
        ),
        (
            "When are you open at the weekend?",
            "2026-03-10T09:00",
            "On Saturday we are closed. On Sunday we are closed.",
        ),
        (
            "Is the sauna open now?",
            "2026-03-10T09:00",
            "No, the sauna is closed now. The sauna opens again today at 4 pm.",
        ),
        ("When does the sauna close?", "2026-03-10T09:00", "The sauna is open every day from 4 pm to 9 pm."),
        ("How much does the sauna cost today?", "2026-03-10T09:00", None),
        ("Can I park there tomorrow?", "2026-03-10T09:00", None),
        ("When can I see the manager today?", "2026-03-10T09:00", None),
        ("Do you open letters?", "2026-03-10T09:00", None),
        ("What is the opening of the opera?", "2026-03-10T09:00", None),
    ],
)
def test_what_callers_ask(question: str, now: str, told: str | None) -> None:
    assert answer(question, read(HOUSE), datetime.fromisoformat(now)) == told


def test_where_nobody_wrote_them_down_nothing_is_said() -> None:
    assert answer("Are you open now?", read("# Shop\nWe sell bread."), TUESDAY) is None
    only = read("We are open on Monday from 8 to 12.")
    assert (
        answer("Are you open on Friday?", only, TUESDAY)
        == "We are open Monday from 8 am to noon. I know of no hours on Friday."
    )


HELD_OUT = ("garage", "library")
"""Written to judge these rules by: what they answer must be right, but they need not answer all."""


def questions() -> list[tuple[str, dict[str, Any]]]:
    folders = sorted(path for path in BUSINESSES.iterdir() if path.is_dir())
    return [
        (folder.name, question)
        for folder in folders
        for question in tomllib.loads((folder / "questions.toml").read_text())["question"]
    ]


@pytest.mark.parametrize(("business", "question"), questions())
def test_of_the_evaluations_questions_those_about_hours_are_answered_and_no_others(
    business: str, question: dict[str, Any]
) -> None:
    file = BUSINESSES / business / "knowledge.md"
    known = read((file if file.exists() else DEFAULT).read_text())
    now = datetime.fromisoformat(question["now"]) if "now" in question else TUESDAY
    told = answer(question["ask"], known, now)
    if question.get("kind") == "hours" and business not in HELD_OUT:
        assert told is not None
    if told is not None:
        assert any(re.search(pattern, told, re.IGNORECASE) for pattern in question["expect"])


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    answer(text, read(text), TUESDAY)
    answer("Are you open now?", read(text), TUESDAY)


@given(st.integers(0, MIDNIGHT - 1))
def test_times_are_said_and_read_alike(value: int) -> None:
    assert minutes(clock(value)) == (MIDNIGHT if value == 0 else value)


@given(st.sets(st.integers(0, 6), min_size=1))
def test_days_are_named_and_read_alike(days: set[int]) -> None:
    told = week(f"We are open {named(days)} from 9 to 5.")[""].split()
    assert {d for d, spans in enumerate(told) if spans == "9:00-17:00"} == days
