"""A whole call with engines that answer by the script, in virtual time; silero and the sound are real."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.bench.warp import warped
from appliance.dsp import soundfile
from appliance.engines.contracts import Message
from appliance.flow.agent import WAITING
from appliance.flow.phrases import BACK, FAREWELL, GOODBYE, STILL_THERE
from appliance.knowledge.answer import Answer
from appliance.terms.events import (
    CallEnded,
    CallStarted,
    Caption,
    Event,
    FillerSpoken,
    Overlap,
    ReplyHeard,
    State,
    StateChanged,
)
from appliance.terms.units import Pcm

from .scripted import REPLY, Script, held, opened, silence, turns


@pytest.fixture
def question(utterances: dict[str, Utterance]) -> Pcm:
    """1.6 s of speech."""
    return soundfile.read(utterances["parking"].file)


@pytest.fixture
def murmur(question: Pcm) -> Pcm:
    """0.4 s of speech."""
    return question[3200:9600]


def test_a_question_is_answered_and_its_time_accounted_for(question: Pcm) -> None:
    events = held(Script(), question)
    (turn,) = turns(events)
    assert turn.reply == REPLY
    assert not turn.interrupted
    assert turn.e2a_ms is not None
    parts = (turn.endpoint_ms, turn.stt_ms, turn.llm_ms, turn.tts_ms, turn.playout_ms)
    assert sum(part or 0 for part in parts) == pytest.approx(turn.e2a_ms, abs=0.2)
    assert 320 <= turn.e2a_ms < 420  # the lull, and the engines one after the other
    assert turn.endpoint_ms == pytest.approx(260, abs=25)  # when the language model has read the words
    assert turn.hidden_ms > 100
    states = [event.state for event in events if isinstance(event, StateChanged)]
    assert states == [State.LISTENING, State.THINKING, State.SPEAKING, State.WAITING]
    said = " ".join(event.text for event in events if isinstance(event, Caption) and event.who == "agent")
    assert said == REPLY


def test_what_can_be_computed_needs_no_language_model(question: Pcm) -> None:
    now = Answer(text="Yes, we are open now, until 6 pm.", computed=True, whole=True)
    script = Script(words="Are you open now?", known={"Are you open now?": now})
    (turn,) = turns(held(script, question))
    assert turn.reply == "Yes, we are open now, until 6 pm."
    assert script.asked == []
    assert (turn.e2a_ms or 999) < 700


def test_what_the_owner_wrote_is_said_even_while_the_language_model_is_down(question: Pcm) -> None:
    written = Answer(text="A check-up costs 45 pounds.", source="prices.md:3")
    script = Script(words="What is a check-up?", known={"What is a check-up?": written}, weighs=False)
    (turn,) = turns(held(script, question))
    assert (turn.reply, turn.source) == (written.text, written.source)
    assert script.asked == []


def test_who_says_goodbye_is_told_it_and_let_go(question: Pcm) -> None:
    events = held(Script(words="Okay, thank you, goodbye."), question, silence(8.0))
    (turn,) = turns(events)
    assert turn.reply == "Thank you for calling. Goodbye."
    ended = events[-1]
    assert isinstance(ended, CallEnded)
    assert ended.reason == "goodbye"


def test_without_speculation_the_model_waits_for_the_end_of_the_turn(question: Pcm) -> None:
    (turn,) = turns(held(Script(), question, speculate=False))
    assert turn.speculated == "none"
    assert turn.stages["llm"].start_ms >= (turn.endpoint_ms or 0)
    assert turn.stages["stt"].start_ms < 200  # the transcript is a witness, so it is made in the pause all the same


def test_a_breath_does_not_end_a_turn(question: Pcm) -> None:
    script = Script(ends=0.05, sound=0.1)
    (turn,) = turns(held(script, question[:-1600], silence(0.3), question[1600:]))
    assert turn.speculations >= 2
    assert script.heard_s[-1] > 3.0  # both halves
    assert len(turn.transcript or "") > 0


def test_a_reply_that_may_be_in_vain_goes_no_further_than_its_first_clause(question: Pcm) -> None:
    doubtful = Script(sound=0.1, ends=0.05)
    (turn,) = turns(held(doubtful, question[:-1600], silence(0.6), question[1600:]))
    assert turn.speculations >= 2
    assert 1 <= turn.wasted_tokens <= 6 * (turn.speculations - 1)


def test_what_is_plainly_unfinished_is_not_answered_in_advance(question: Pcm) -> None:
    script = Script(sound=0.1, ends=0.01)
    (turn,) = turns(held(script, question[:-1600], silence(0.9), question[1600:]))
    assert turn.wasted_tokens == 0
    assert len(script.asked) == 2
    assert turn.endpoint_ms == pytest.approx(1100, abs=40)


def test_a_reply_to_the_same_words_is_taken_up_again(question: Pcm) -> None:
    doubtful = Script(sound=0.1, ends=0.05, words="When are you open?")
    (turn,) = turns(held(doubtful, question[:-1600], silence(0.6), question[1600:]))
    assert turn.wasted_tokens == 0
    assert len(doubtful.asked) == 1
    assert turn.reply == REPLY


def test_a_caller_who_goes_on_before_the_reply_is_heard_is_in_the_same_turn(question: Pcm) -> None:
    script = Script(llm_s=1.5)
    (turn,) = turns(held(script, question, silence(1.2), question))
    assert script.heard_s[-1] > 4.0
    assert turn.turn == 1
    assert len(script.asked) >= 2


@pytest.mark.parametrize("after_s", np.arange(1.8, 2.8, 0.06).tolist())
def test_a_call_that_ends_while_its_reply_is_prepared_leaves_nothing_behind(question: Pcm, after_s: float) -> None:
    """At any moment from the caller's last word to the reply's first; `held` looks for tasks and for the cache."""
    script = Script()
    told = turns(held(script, question, stop_after_s=after_s))
    assert len(told) <= 1
    assert not told or told[0].interrupted
    assert not told or len((told[0].reply or "").split()) <= 2


def test_a_murmur_over_a_reply_only_holds_it_for_a_moment(question: Pcm, murmur: Pcm) -> None:
    script = Script(overlap_words="Mm-hmm.")
    events = held(script, question, silence(2.0), murmur)
    (turn,) = turns(events)
    assert turn.reply == REPLY, "not a word is lost"
    assert not turn.interrupted
    assert turn.murmurs == 1
    (overlap,) = [event for event in events if isinstance(event, Overlap)]
    assert not overlap.meant
    assert overlap.silent_ms < 250
    assert len(script.asked) == 1


def test_a_short_word_that_means_us_interrupts(question: Pcm, murmur: Pcm) -> None:
    script = Script(overlap_words="Stop!")
    events = held(script, question, silence(2.0), murmur)
    first, second = turns(events)
    assert first.interrupted
    assert first.barge_in_ms is not None
    assert second.transcript == "Stop!"


def test_after_a_question_of_the_agents_own_a_murmur_answers(question: Pcm, murmur: Pcm) -> None:
    script = Script(
        reply="Shall I book it? Or would you rather like to come another day of the week?", overlap_words="Yes."
    )
    first, second = turns(held(script, question, silence(1.4), murmur))
    assert (first.reply, second.transcript) == ("Shall I book it?", "Yes.")


def test_while_nobody_can_tell_what_was_said_the_agent_goes_on(question: Pcm, murmur: Pcm) -> None:
    script = Script(overlap_fails=True)
    (turn,) = turns(held(script, question, silence(2.0), murmur))
    assert turn.reply == REPLY
    assert turn.murmurs == 1


def test_a_caller_who_goes_on_as_the_reply_begins_was_cut_off(question: Pcm) -> None:
    script = Script()
    first, second = turns(held(script, question, silence(0.55), question))
    assert first.cut_in
    assert second.endpoint_ms == pytest.approx(350, abs=25), "more careful from now on"


def test_a_turn_is_captioned_while_it_is_spoken_and_read_ahead(question: Pcm) -> None:
    script = Script(words="I would like to know where I can park my car.")
    events = held(script, question, question[1600:])
    captions = [event for event in events if isinstance(event, Caption) and event.who == "caller"]
    assert [caption.stable for caption in captions[:3]] == [False] * 3
    assert captions[-1].stable
    assert captions[0].settled == 0
    assert captions[1].settled == 10, "all but the last word, which may be cut short"
    assert script.listened[0][-1] == Message("user", "I would like to know where I can park my")
    assert script.partials >= 3


def test_a_silent_caller_is_asked_and_then_told_goodbye(question: Pcm) -> None:
    events = held(Script(), question, silence_s=8.0, stop_after_s=120.0)
    said = [event.text for event in events if isinstance(event, Caption) and event.who == "agent"]
    assert said[-2:] == [STILL_THERE, GOODBYE]
    ended = events[-1]
    assert isinstance(ended, CallEnded)
    assert ended.reason == "silence"
    assert ended.duration_s == pytest.approx(33, abs=4)


def test_a_caller_who_asks_for_a_moment_is_not_hurried(question: Pcm) -> None:
    events = held(Script(words="One moment, please."), question, silence_s=8.0, stop_after_s=30.0)
    said = [event.text for event in events if isinstance(event, Caption) and event.who == "agent"]
    assert " ".join(said) == WAITING


def test_an_interrupting_caller_silences_the_agent_who_remembers_what_was_heard(question: Pcm) -> None:
    script = Script()
    events = held(script, question, silence(2.0), question)
    first, second = turns(events)
    assert first.interrupted
    assert first.reply
    assert REPLY.startswith(first.reply)
    assert len(first.reply) < len(REPLY)
    assert any(isinstance(event, ReplyHeard) and event.text == first.reply for event in events)
    assert second.reply == REPLY
    assert script.asked[-1][:3] == [
        Message("system", "You are a receptionist."),
        Message("user", first.transcript or ""),
        Message("assistant", first.reply),
    ]


def test_a_late_reply_is_bridged_by_a_filler(question: Pcm) -> None:
    events = held(Script(llm_s=4.0), question)
    (turn,) = turns(events)
    (filler,) = [event for event in events if isinstance(event, FillerSpoken)]
    assert not filler.apology
    assert turn.filler_ms == pytest.approx(2450, abs=100)
    assert turn.e2a_ms is not None
    assert turn.e2a_ms > 4000
    assert turn.reply == REPLY


def test_a_dead_engine_is_apologised_for(question: Pcm) -> None:
    events = held(Script(stt_fails=True), question)
    (turn,) = turns(events)
    assert turn.e2a_ms is None
    assert turn.reply == ""
    assert any(isinstance(event, FillerSpoken) and event.apology for event in events)
    assert StateChanged(call="file", state=State.TROUBLE) in events


def test_a_reply_that_never_comes_is_apologised_for(question: Pcm) -> None:
    events = held(Script(llm_s=1000.0), question)
    (turn,) = turns(events)
    assert [event.apology for event in events if isinstance(event, FillerSpoken)] == [False, True]
    assert turn.e2a_ms is None


def test_what_was_no_speech_is_no_turn(question: Pcm) -> None:
    events = held(Script(words=""), question)
    assert turns(events) == []
    captions = [event.text for event in events if isinstance(event, Caption)]
    assert captions[-1] == ""
    assert [event.state for event in events if isinstance(event, StateChanged)][-1] is State.WAITING


def test_hanging_up_in_the_middle_of_a_reply_ends_the_turn(question: Pcm) -> None:
    (turn,) = turns(held(Script(), question, stop_after_s=4.0))
    assert turn.interrupted
    assert turn.reply
    assert REPLY.startswith(turn.reply)


def test_the_greeting_is_spoken_first_and_can_be_interrupted(question: Pcm) -> None:
    events = held(Script(), question, greet=True)
    captions = [event for event in events if isinstance(event, Caption)]
    assert (captions[0].turn, captions[0].text) == (0, "Hello there.")
    assert turns(events)[0].reply == REPLY


def test_with_doubtful_witnesses_the_longest_pause_decides(question: Pcm) -> None:
    (turn,) = turns(held(Script(sound=0.1, words="I would like to", ends=0.0), question))
    assert turn.endpoint_ms == pytest.approx(1100, abs=40)


def test_a_device_that_stops_finishes_its_sentence_and_says_goodbye(question: Pcm) -> None:
    events: list[Event] = []

    async def call() -> None:
        script = Script()
        line, conversation = await opened(script, question, events)
        held = asyncio.create_task(conversation.run(greet=False))
        await asyncio.sleep(4.0)  # in the reply's first sentence
        began = asyncio.get_running_loop().time()
        await conversation.leave()
        await held
        assert line.ended == "stopped"
        assert asyncio.get_running_loop().time() - began < 10.0

    warped(call())
    (turn,) = turns(events)
    assert turn.reply == REPLY[: REPLY.index(".") + 1]
    said = [event.text for event in events if isinstance(event, Caption) and event.who == "agent"]
    assert said[-1] == FAREWELL


def test_a_caller_who_was_lost_goes_on_where_the_call_was(question: Pcm) -> None:
    script, events, later = Script(), list[Event](), list[Event]()

    async def call() -> None:
        line, first = await opened(script, question, events)
        asyncio.get_running_loop().call_later(15.0, line.hang_up, "lost")
        await first.run()
        assert script.forgotten == []  # the language model keeps what it has read
        line, second = await opened(script, question, later, first.memory)
        asyncio.get_running_loop().call_later(20.0, line.hang_up, "hangup")
        await second.run()
        assert script.forgotten == ["file"]

    warped(call())
    assert CallStarted(call="file", door="file", resumed=True) in later
    said = [event.text for event in later if isinstance(event, Caption) and event.who == "agent"]
    assert said[0] == BACK
    (before,), (after,) = turns(events), turns(later)
    assert (before.turn, after.turn) == (1, 2)
    assert script.asked[-1][1:3] == [
        Message("user", before.transcript or ""),
        Message("assistant", before.reply or ""),
    ]
