"""What others do to a call: let the agent say something, or not hear its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.bench.warp import warped
from appliance.dsp import soundfile
from appliance.flow.conversation import Conversation
from appliance.terms.events import Caption, Event, ReplyHeard, TurnEnded
from appliance.terms.units import Pcm

from .scripted import REPLY, Script, opened, silence

NEWS = "We close in five minutes."


@pytest.fixture
def question(utterances: dict[str, Utterance]) -> Pcm:
    """1.6 s of speech."""
    return soundfile.read(utterances["parking"].file)


def held(script: Script, sound: Pcm, doing: Callable[[Conversation], Coroutine[Any, Any, None]]) -> list[Event]:
    """The events of a call in which somebody does something."""
    events: list[Event] = []

    async def call() -> None:
        line, conversation = await opened(script, sound, events)
        asyncio.get_running_loop().call_later(20.0, line.hang_up, "hangup")
        doer = asyncio.create_task(doing(conversation))
        await conversation.run(greet=False)
        await doer

    warped(call())
    return events


def said(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Caption) and event.who == "agent"]


def after(seconds: float) -> Callable[[Conversation], Coroutine[Any, Any, None]]:
    async def say(conversation: Conversation) -> None:
        await asyncio.sleep(seconds)
        await conversation.say(NEWS)

    return say


def test_in_a_silence_it_is_said_at_once_and_remembered(question: Pcm) -> None:
    script = Script()
    events = held(script, np.concatenate([silence(4.0), question]), after(0.5))
    assert said(events)[0] == NEWS
    assert [m.text for m in script.asked[-1] if m.role == "assistant"] == [NEWS]


def test_it_falls_into_the_agents_own_words(question: Pcm) -> None:
    events = held(Script(), question, after(4.0))
    (turn,) = [event for event in events if isinstance(event, TurnEnded)]
    assert turn.interrupted
    assert 0 < len(turn.reply or "") < len(REPLY)
    assert any(isinstance(event, ReplyHeard) for event in events)
    assert said(events)[-1] == NEWS


def test_a_caller_who_speaks_is_let_finish_and_answered_first(question: Pcm) -> None:
    events = held(Script(reply="In the yard."), question, after(1.0))
    assert said(events) == ["In the yard.", NEWS]
    (turn,) = [event for event in events if isinstance(event, TurnEnded)]
    assert not turn.interrupted


def test_who_is_muted_is_not_heard(question: Pcm) -> None:
    async def mute(conversation: Conversation) -> None:
        conversation.muted = True
        await asyncio.sleep(4.0)
        conversation.muted = False

    script = Script()
    events = held(script, np.concatenate([question, silence(3.0), question]), mute)
    assert len([event for event in events if isinstance(event, TurnEnded)]) == 1
    assert len(script.asked) >= 1
