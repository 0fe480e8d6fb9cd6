"""A tool, and what must be known for it."""

from __future__ import annotations

from datetime import datetime

import pytest

from appliance.knowledge.filling import CHECK, WHICH, Filled, Filling, Tool, Use, begin, go_on, offer
from appliance.knowledge.slots import Slot

NOW = datetime(2026, 3, 10, 10, 15)
BOOK = Tool(
    name="book_visit",
    when=("I need an appointment.",),
    ask=(
        Slot(name="date", kind="date", say="For which day?"),
        Slot(name="time", kind="time", say="At what time?"),
        Slot(name="name", kind="name"),
    ),
)
LIGHTS = Tool(name="lights", when=("Lights on.",), confirm=False)
GATE = Tool(name="gate", when=("Open the gate.",))


def held(tool: Tool, *words: str, known: dict[str, str] | None = None) -> list[Filled]:
    """What is said, from the first words on."""
    steps = [begin(tool, words[0], NOW, known=known or {})]
    for said in words[1:]:
        assert steps[-1].form is not None
        step = go_on(steps[-1].form, said, NOW)
        assert step is not None
        steps.append(step)
    return steps


def form(step: Filled | None) -> Filling:
    assert step is not None
    assert step.form is not None
    return step.form


def test_what_is_missing_is_asked_for_read_back_and_done() -> None:
    steps = held(BOOK, "Can I come on Thursday?", "Half past three.", "Peter Miller", "Yes, that's right.")
    assert [step.say for step in steps] == [
        "At what time?",
        "What is the name, please?",
        "Let me read that back. Thursday, March 12, at 3:30 pm, Peter Miller. Is that right?",
        "",
    ]
    assert steps[-1].use == Use(
        tool="book_visit", arguments={"date": "2026-03-12", "time": "15:30", "name": "Peter Miller"}
    )


def test_who_says_all_at_once_is_asked_nothing_but_whether_it_is_right() -> None:
    steps = held(BOOK, "This is Ann Bell, I'd like to come tomorrow at 4 pm.")
    assert form(steps[0]).wanted == CHECK
    assert form(steps[0]).values == {"date": "2026-03-11", "time": "16:00", "name": "Ann Bell"}


def test_an_answer_may_tell_more_than_was_asked() -> None:
    steps = held(BOOK, "I need an appointment", "On Friday at nine", known={"name": "Ann Bell"})
    assert form(steps[-1]).values == {"date": "2026-03-13", "time": "09:00", "name": "Ann Bell"}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("No, on Friday, not on Thursday.", {"date": "2026-03-13"}),
        ("No, half past four, not half past three.", {"time": "16:30"}),
        ("Sorry, I meant Thursday the 19th", {"date": "2026-03-19"}),
        ("Yes, but at five.", {"time": "17:00"}),
        ("Okay, make it eight o'clock in the morning.", {"time": "08:00"}),
        ("No, not at three but at four.", {"time": "16:00"}),
    ],
)
def test_what_is_wrong_is_put_right_and_read_back_again(words: str, values: dict[str, str]) -> None:
    first = held(BOOK, "On Thursday at half past three, this is Ann Bell.")[0]
    assert form(first).wanted == CHECK
    after = go_on(form(first), words, NOW)
    assert form(after).wanted == CHECK
    assert form(after).values == {**form(first).values, **values}


def test_who_only_says_no_is_asked_what_is_wrong() -> None:
    steps = held(BOOK, "On Thursday at four, this is Ann Bell.", "No.", "The time is wrong.", "At five.", "Yes.")
    assert form(steps[1]).wanted == WHICH
    assert form(steps[2]).wanted == "time"
    assert steps[-1].use is not None
    assert steps[-1].use.arguments["time"] == "17:00"


def test_what_needs_nothing_is_done_at_once_or_after_a_yes() -> None:
    assert held(LIGHTS, "Lights on, please")[0].use == Use(tool="lights", arguments={})
    asked, done = held(GATE, "Open the gate", "Yes, please.")
    assert (asked.use, done.use) == (None, Use(tool="gate", arguments={}))
    assert held(GATE, "Open the gate", "No.")[-1].form is None


def test_who_is_not_understood_three_times_is_let_go_and_never_mind_is_heard() -> None:
    steps = held(BOOK, "I need an appointment", "Hm.", "Well.", "I don't know.")
    assert steps[-1].form is None
    assert steps[-1].use is None
    assert held(BOOK, "I need an appointment", "Oh, never mind.")[-1].form is None


def test_what_is_perhaps_wanted_is_offered_and_may_be_passed_over() -> None:
    offered = form(offer(BOOK, "My tooth hurts, I could come on Thursday", {}))
    assert form(go_on(offered, "Yes, please.", NOW)).values == {"date": "2026-03-12"}
    refused = go_on(offered, "No.", NOW)
    assert refused is not None
    assert refused.form is None
    assert go_on(offered, "What does it cost to have it looked at?", NOW) is None


STAY = Tool(
    name="stay",
    when=("I need a room.",),
    ask=(
        Slot(name="arrival", kind="date"),
        Slot(name="departure", kind="date"),
        Slot(name="parking", kind="choice", choices=("Yes", "No")),
    ),
)


def test_of_two_of_a_kind_the_one_that_is_named_is_put_right() -> None:
    values = {"arrival": "2026-04-03", "departure": "2026-04-07", "parking": "Yes"}
    form = Filling(tool=STAY, values=values, wanted=CHECK)
    after = go_on(form, "No, the departure is the 8th of April.", NOW)
    assert after is not None
    assert after.form is not None
    assert after.form.values == {**values, "departure": "2026-04-08"}


def test_a_no_is_no_choice() -> None:
    values = {"arrival": "2026-04-03", "departure": "2026-04-07", "parking": "Yes"}
    after = go_on(Filling(tool=STAY, values=values, wanted=CHECK), "No.", NOW)
    assert after is not None
    assert after.form is not None
    assert (after.form.wanted, after.form.values) == (WHICH, values)


def test_who_cannot_say_what_is_wrong_is_not_asked_for_ever() -> None:
    steps = held(BOOK, "On Thursday at four, this is Ann Bell.", "No.", "No.", "No.", "No.")
    assert steps[-1].form is None
    assert steps[-1].use is None


def test_what_is_said_with_a_yes_to_an_offer_counts() -> None:
    accepted = go_on(form(offer(BOOK, "My tooth hurts", {"name": "Ann"})), "Yes please, tomorrow at five", NOW)
    assert form(accepted).values == {"date": "2026-03-11", "time": "17:00", "name": "Ann"}
