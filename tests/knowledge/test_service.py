"""What is done for callers: told by what they say, and by the door they came through."""

from __future__ import annotations

from datetime import datetime

import pytest

from appliance.knowledge import hours, intents
from appliance.knowledge.answer import Answer, Context, Forget
from appliance.knowledge.clerk import Clerk
from appliance.knowledge.filling import Filling, Tool
from appliance.knowledge.index import Index
from appliance.knowledge.people import Connect, Person, host, meant, only_named
from appliance.knowledge.service import OFFER, Offers
from appliance.knowledge.slots import Slot
from appliance.knowledge.taking import Taking
from appliance.knowledge.visiting import Arrived, Visiting

from .reading import WordReader

NOW = datetime(2026, 3, 10, 10, 15)
PATEL, BECKER = Person(name="Dr Anna Patel", phone="101"), Person(name="Tom Becker")
ACCOUNTS = Person(name="Accounts", phone="102")
PEOPLE = (PATEL, BECKER, ACCOUNTS)
GATE = Tool(name="open_gate", when=("Please open the gate for me.",), confirm=False)
BOOK = Tool(name="book", when=("I would like to make an appointment.",), ask=(Slot(name="time", kind="time"),))
OFFERS = Offers(people=PEOPLE, operator=ACCOUNTS, tools=(GATE, BOOK))
PHONE, KIOSK = Context(door="sip", caller="+4930123456"), Context(door="kiosk")


async def found(words: str, context: Context, offers: Offers = OFFERS) -> Answer | None:
    reads = WordReader()
    known = hours.read("We are open Monday to Friday from 17:00 to 22:00.")
    clerk = Clerk(known, lambda: NOW, reads, Index([]), await intents.read(reads, offers.tools), offers=offers)
    return await clerk.find(words, context)


async def told(words: str, context: Context, offers: Offers = OFFERS) -> Answer:
    answer = await found(words, context, offers)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    "words", ["Could you put me through to Dr. Patel, please?", "Is doctor Pattel there? I'd like to speak to Anna."]
)
async def test_a_caller_on_the_phone_is_put_through(words: str) -> None:
    answer = await told(words, PHONE)
    assert answer.act == Connect(person=PATEL)
    assert "Dr Anna Patel" in answer.text


async def test_who_wants_anybody_gets_the_operator_and_without_one_a_message() -> None:
    assert (await told("Can I speak to a person?", PHONE)).act == Connect(person=ACCOUNTS)
    nobody = await told("Can I speak to a person?", PHONE, Offers())
    assert nobody.text.endswith(OFFER)


async def test_who_cannot_be_put_through_is_offered_a_message_for_them() -> None:
    answer = await told("Put me through to Mr Becker.", PHONE)
    assert answer.act is None
    assert isinstance(answer.form, Taking)
    assert answer.form.message.to == "Tom Becker"
    begun = await told("Yes, please.", Context(door="sip", form=answer.form))
    assert begun.text == "Of course. What shall I pass on to Tom Becker?"


async def test_a_visitor_is_asked_who_they_are_and_their_host_is_told() -> None:
    asked = await told("I'm here to see Tom Becker.", KIOSK)
    assert asked.text == "Welcome. May I have your name, please?"
    done = await told("Lisa Wong", Context(door="kiosk", form=asked.form))
    assert done.act == Arrived(host="Tom Becker", name="Lisa Wong")
    assert done.text == "Thank you, Lisa Wong. I will tell Tom Becker that you are here. Please take a seat."


async def test_a_visitor_who_does_not_know_whom_is_told_of_all_the_same() -> None:
    form = (await told("I'm here for my interview.", KIOSK)).form
    assert isinstance(form, Visiting)
    for words in ("I'm not sure.", "I do not remember it, sorry.", "Lisa Wong"):
        answer = await told(words, Context(door="kiosk", form=form))
        form = answer.form if isinstance(answer.form, Visiting) else form
    assert answer.act == Arrived(host="", name="Lisa Wong")


async def test_a_tool_is_used_by_who_wants_it_and_not_by_who_asks_about_it() -> None:
    used = await told("Please open the gate for me", PHONE)
    assert used.use is not None
    assert used.use.tool == "open_gate"
    assert await found("How do I make an appointment?", PHONE) is None


async def test_a_time_is_one_at_which_it_is_open() -> None:
    form = (await told("I would like to make an appointment", PHONE)).form
    assert isinstance(form, Filling)
    assert "At 8 pm" in (await told("At eight", Context(door="sip", form=form))).text


async def test_a_question_in_between_does_not_lose_what_was_asked() -> None:
    form = (await told("I would like to make an appointment", PHONE)).form
    answer = await told("Are you open today?", Context(door="sip", form=form))
    assert answer.text == "Yes, today we are open from 5 pm to 10 pm. What is the time, please?"
    assert answer.form == form


@pytest.mark.parametrize(
    ("words", "person"),
    [
        ("I want Dr Patel", PATEL),
        ("is miss patell in", PATEL),
        ("Tom, please", BECKER),
        ("the accounts department", ACCOUNTS),
        ("nobody in particular", None),
    ],
)
def test_a_name_is_found_though_it_was_heard_wrongly(words: str, person: Person | None) -> None:
    assert meant(words, PEOPLE) == person


def test_who_only_says_a_name_in_passing_is_not_put_through() -> None:
    people = (Person(name="Will Smith"), Person(name="Anna Patel"), Person(name="Anna Bell"))
    assert only_named("Yes, I will, thank you.", people) is None
    assert only_named("Will, please.", people) is None
    assert only_named("Thank you, Anna.", people) is None
    assert meant("Is Anna there?", people) is None, "it may be two of them"


async def test_who_asks_whether_it_is_a_person_gets_none() -> None:
    answer = await found("Are you a real person or a robot?", PHONE)
    assert answer is None or answer.act is None


@pytest.mark.parametrize(
    "words",
    [
        "What time can I check in?",
        "I have an appointment for Monday that I need to cancel.",
        "We are here for three nights in June",
        "I have a meeting at ten in the big room, where is it?",
    ],
)
async def test_who_is_not_here_is_no_visitor(words: str) -> None:
    answer = await found(words, Context(door="webrtc"))
    assert answer is None or not isinstance(answer.form, Visiting)


def test_a_name_alone_asks_for_its_owner() -> None:
    assert only_named("Good morning. Accounts, please.", PEOPLE) == ACCOUNTS
    assert only_named("Are the accounts published?", PEOPLE) is None


@pytest.mark.parametrize(
    ("words", "whom"),
    [
        ("I have an appointment with Dr. Pattel", "Dr Anna Patel"),
        ("I'm here to see Susan Hill", "Susan Hill"),
        ("Susan Hill is expecting me", "Susan Hill"),
        ("I have an appointment on Monday", ""),
    ],
)
def test_a_visitors_host(words: str, whom: str) -> None:
    assert host(words, PEOPLE) == whom


async def test_who_is_known_is_not_asked_for_their_name_and_can_be_forgotten() -> None:
    offers = Offers(remembers=True)
    asked = await told("Please tell Tom that I will be late.", Context(door="sip", caller="123456", name="Ann"), offers)
    assert asked.text == "Of course. Can we reach you on the number you are calling from?"
    visit = await told("I'm here to see Tom Becker.", Context(door="kiosk", name="Ann"))
    assert visit.act == Arrived(host="Tom Becker", name="Ann")
    assert (await told("Please forget my number.", PHONE, offers)).act == Forget()
    assert await found("Please forget my number.", PHONE) is None, "nothing is remembered"
