"""Taking a message, as a dialogue."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from appliance.knowledge.taking import Message, Step, Taking, asked_for, begin, go_on, offered


def held(first: str, *more: str, caller: str = "") -> list[Step]:
    """Each step, from the caller's first words to their last."""
    steps = [begin(first, caller)]
    for words in more:
        form = steps[-1].form
        assert form is not None, f"it was over before {words!r}"
        step = go_on(form, words)
        assert step is not None, f"{words!r} was no answer to {form.wanted}"
        steps.append(step)
    return steps


def test_one_thing_after_the_other_is_asked_for_and_read_back() -> None:
    steps = held(
        "I'd like to leave a message for Mr Brown",
        "The boiler is broken again.",
        "My name is Peter Miller.",
        "Oh seven seven nine, five five five, one two.",
        "Yes, that's right.",
    )
    assert [step.say for step in steps] == [
        "Of course. What shall I pass on to Mr Brown?",
        "May I have your name, please?",
        "And on which number can we reach you?",
        "Let me read that back. For Mr Brown. Peter Miller, 0 7 7, 9 5 5, 5 1 2. The boiler is broken again. "
        "Is that right?",
        "Thank you, I will pass that on. Is there anything else?",
    ]
    assert steps[-1].taken == Message(
        to="Mr Brown", text="The boiler is broken again.", name="Peter Miller", number="077955512"
    )
    assert steps[-1].form is None
    assert all(step.taken is None for step in steps[:-1])


@pytest.mark.parametrize(
    ("words", "to", "text", "wanted"),
    [
        ("Can you take a message?", "", "", "text"),
        ("Please tell him that I will be late", "", "I will be late.", "name"),
        ("Could you let Maria know the parcel has arrived?", "Maria", "The parcel has arrived?", "name"),
        ("Can you tell the manager that I am downstairs", "the manager", "I am downstairs.", "name"),
        ("Please ask somebody to call me back", "", "", "text"),
        ("Can someone ring me back about the invoice?", "", "Please call back about the invoice?", "name"),
        ("Ask Mr Green to phone me, please", "Mr Green", "", "text"),
        ("I want to leave a message saying that the key is missing", "", "The key is missing.", "name"),
        ("I have a message for your manager", "the manager", "", "text"),
    ],
)
def test_what_the_first_words_tell_already_is_not_asked_again(words: str, to: str, text: str, wanted: str) -> None:
    form = begin(words).form
    assert form is not None
    assert (form.message.to, form.message.text, form.wanted) == (to, text, wanted)


def test_a_number_may_come_in_pieces() -> None:
    steps = held("Please tell Ann that I am here", "Bob", "oh seven", "nine five five", "yes")
    assert steps[2].say == "0 7. And then?"
    assert steps[-1].taken == Message(to="Ann", text="I am here.", name="Bob", number="07955")


def test_the_number_they_call_from_is_offered_first() -> None:
    steps = held("Please call me back", "The roof.", "Bob", "Yes please", "Yes", caller="+4930123")
    assert steps[2].say == "Can we reach you on the number you are calling from?"
    assert steps[-1].taken is not None
    assert steps[-1].taken.number == "+4930123"
    steps = held("Please call me back", "The roof.", "Bob", "No", "one two three four five", "Yes", caller="+4930123")
    assert steps[3].say == "On which number, then?"
    assert steps[-1].taken is not None
    assert steps[-1].taken.number == "12345"


@pytest.mark.parametrize(
    ("correction", "changed"),
    [
        (("No, the number is five four three two one",), Message(text="Come.", name="Bob", number="54321")),
        (("No, my name is Rob.",), Message(text="Come.", name="Rob", number="12345")),
        (("No", "the name", "It's Rob"), Message(text="Come.", name="Rob", number="12345")),
        (("No", "The number", "double five, double four, three"), Message(text="Come.", name="Bob", number="55443")),
        (("No", "the message", "Come tomorrow"), Message(text="Come tomorrow.", name="Bob", number="12345")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_put_right_and_read_back_again(correction: tuple[str, ...], changed: Message) -> None:
    steps = held("Can you take a message?", "Come.", "Bob", "one two three four five", *correction, "Yes")
    assert steps[-2].say.startswith("Let me read that back.")
    assert steps[-1].taken == changed


@pytest.mark.parametrize("said", [(), ("Come.",), ("Come.", "Bob"), ("Come.", "Bob", "one two three four five")])
def test_it_can_be_dropped_at_any_time(said: tuple[str, ...]) -> None:
    last = held("Can you take a message?", *said, "Never mind")[-1]
    assert (last.form, last.taken) == (None, None)
    assert "no message" in last.say


def test_what_is_not_understood_three_times_is_done_without() -> None:
    steps = held("Can you take a message?", "Come.", "12", "34", "56", "what", "what", "what", "Yes")
    assert steps[2].say == "I am sorry, I did not get that. May I have your name, please?"
    assert steps[-1].taken == Message(text="Come.", name="a caller")


def test_an_offer_is_taken_up_or_not() -> None:
    form = offered()
    taken = go_on(form, "Yes, please.")
    assert taken is not None
    assert taken.form == Taking(wanted="text")
    refused = go_on(form, "No, thank you.")
    assert refused is not None
    assert refused.form is None
    assert go_on(form, "How much is a room?") is None, "they ask something else"


def test_a_message_is_no_book() -> None:
    form = held("Can you take a message?", "word " * 1000)[-1].form
    assert form is not None
    assert len(form.message.text.split()) == 150


def test_who_does_not_say_yes_or_no_is_read_it_again_and_in_the_end_it_is_taken() -> None:
    steps = held("Can you take a message?", "Come.", "Bob", "one two three four five", "Hm", "Well", "Er")
    assert steps[-2].say.startswith("I am sorry, I did not get that. Let me read that back.")
    assert steps[-1].taken == Message(text="Come.", name="Bob", number="12345")


CALLERS = tomllib.loads((Path(__file__).parents[2] / "benchmarks" / "messages.toml").read_text(encoding="utf-8"))


def noted(caller: dict[str, str]) -> Message | None:
    """What is taken of a caller who answers each question."""
    if not asked_for(caller["first"]):
        return None
    step: Step | None = begin(caller["first"])
    for _ in range(10):
        assert step is not None
        if step.form is None:
            return step.taken
        step = go_on(step.form, caller[step.form.wanted])
    return None


def rightly(message: Message | None, caller: dict[str, str]) -> bool:
    return (
        message is not None
        and caller["expect_to"] in message.to.lower()
        and any(words in message.text.lower() for words in caller["expect_text"].split("|"))
        and message.name.lower() == caller["expect_name"]
        and message.number == caller["expect_number"]
    )


def test_what_callers_leave_is_noted_rightly() -> None:
    right = [rightly(noted(caller), caller) for caller in CALLERS["caller"]]
    assert len(right) == 30
    assert sum(right) >= 27, [
        caller["first"] for caller, well in zip(CALLERS["caller"], right, strict=True) if not well
    ]


@pytest.mark.parametrize("words", [other["first"] for other in CALLERS["other"]])
def test_who_wants_something_else_is_asked_for_no_message(words: str) -> None:
    assert not asked_for(words)
