"""What is done for a caller, in calls in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np

from appliance.bench.utterances import Utterance
from appliance.bench.warp import warped
from appliance.dsp import soundfile
from appliance.engines.contracts import Token
from appliance.flow.acting import COVER
from appliance.flow.agent import Agent, Memory
from appliance.knowledge.answer import Answer, Context
from appliance.knowledge.filling import Use
from appliance.knowledge.people import Connect, Person
from appliance.knowledge.taking import Taking
from appliance.knowledge.visiting import Arrived
from appliance.terms.events import Event, VisitorArrived
from appliance.terms.units import CAPTURE_RATE

from .scripted import Script, held, opened, silence, turns

ASKED = "Please open the gate."
GATE = Answer(text="", use=Use(tool="gate", arguments={}))


def speech(utterances: dict[str, Utterance]) -> np.ndarray:
    return soundfile.read(utterances["open"].file)


def test_a_tool_is_used_once_and_what_came_of_it_is_said(utterances: dict[str, Utterance]) -> None:
    script = Script(words=ASKED, known={ASKED: GATE})
    events = held(script, speech(utterances))
    assert script.used == [GATE.use]
    assert turns(events)[0].reply == "gate is done."


def test_nothing_is_done_before_the_turn_is_over() -> None:
    done: list[Use] = []

    async def use(use: Use):  # type: ignore[no-untyped-def]
        done.append(use)
        yield Token("Done.")

    async def find(words: str, context: Context) -> Answer:
        return GATE

    async def talk() -> str:
        script = Script()
        agent = Agent(script, "", Memory(), find, call="call", use=use)  # type: ignore[arg-type]
        over = asyncio.Event()
        reply = agent.reply(ASKED, max_tokens=10, committed=over.wait)
        assert await anext(reply) == Token("", ends=1.0)
        going_on = asyncio.ensure_future(anext(reply))
        await asyncio.sleep(0.05)
        assert done == []
        over.set()
        return (await going_on).text

    assert asyncio.run(talk()) == "Done."


def test_a_slow_tool_is_covered_by_words(utterances: dict[str, Utterance]) -> None:
    script = Script(words=ASKED, known={ASKED: GATE}, tool_s=3.0)
    events = held(script, speech(utterances))
    assert (turns(events)[0].reply or "").startswith(COVER.split()[0])
    assert (turns(events)[0].reply or "").endswith("gate is done.")


def test_who_interrupts_a_slow_tool_is_told_later_and_it_is_used_once(utterances: dict[str, Utterance]) -> None:
    script = Script(words=ASKED, known={ASKED: GATE}, tool_s=4.0, overlap_words="Wait, stop please.")
    said, over = speech(utterances), speech(utterances)
    memory, events = Memory(), list[Event]()

    async def call() -> None:
        sound = np.concatenate([said, silence(2.0), over, silence(6.0)])
        line, conversation = await opened(script, sound, events, memory)
        asyncio.get_running_loop().call_later(len(said) / CAPTURE_RATE + 1.9, setattr, script, "words", "What else?")
        asyncio.get_running_loop().call_later(14.0, line.hang_up, "hangup")
        await conversation.run(greet=False)

    warped(call())
    first, second = turns(events)[:2]
    assert first.interrupted
    assert len(script.used) == 1
    assert "gate is done." in f"{second.reply} {memory.owed}"


def test_who_adds_a_word_has_it_done_once(utterances: dict[str, Utterance]) -> None:
    """The turn was taken for over, and the tool was begun; then they go on, before they have heard anything."""
    script = Script(words=ASKED, known={ASKED: GATE}, tool_s=0.6)
    said = speech(utterances)
    events = held(script, said, silence(0.3), said)
    assert len(script.used) == 1
    assert turns(events)[-1].reply == "gate is done."


def test_a_host_is_told_once_the_visitor_has_heard_it(utterances: dict[str, Utterance]) -> None:
    words = "Lisa Wong"
    told = Answer(text="Thank you. Please take a seat.", act=Arrived(host="Tom", name="Lisa Wong"))
    events = held(Script(words=words, known={words: told}), speech(utterances))
    arrived = [event for event in events if isinstance(event, VisitorArrived)]
    assert [(event.host, event.name) for event in arrived] == [("Tom", "Lisa Wong")]
    assert events.index(arrived[0]) < events.index(turns(events)[0]) + 3


def test_a_caller_is_put_through_once_they_have_heard_it(utterances: dict[str, Utterance]) -> None:
    words, anna = "Put me through to Anna.", Person(name="Anna", phone="101")
    script = Script(words=words, known={words: Answer(text="One moment.", act=Connect(person=anna))})
    events = held(script, speech(utterances))
    assert script.connected == [anna]
    assert turns(events)[0].reply == "One moment."


def test_who_cannot_be_put_through_is_offered_a_message(utterances: dict[str, Utterance]) -> None:
    words, tom = "Put me through to Tom.", Person(name="Tom")
    script = Script(words=words, known={words: Answer(text="One moment.", act=Connect(person=tom))})
    memory, events = Memory(), list[Event]()

    async def call() -> None:
        line, conversation = await opened(script, np.concatenate([speech(utterances), silence(3.0)]), events, memory)
        asyncio.get_running_loop().call_later(12.0, line.hang_up, "hangup")
        await conversation.run(greet=False)

    warped(call())
    assert "Tom cannot be reached right now. Shall I take a message?" in memory.said
    assert isinstance(memory.form, Taking)
    assert memory.form.message.to == "Tom"
