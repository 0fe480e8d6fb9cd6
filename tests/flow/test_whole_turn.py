"""Whole turns that somebody else answers, from speech to speech, in a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.engines.contracts import Message, Sound
from appliance.flow.phrases import APOLOGY
from appliance.terms.errors import ProviderError
from appliance.terms.events import Caption, FillerSpoken
from appliance.terms.units import Pcm

from .scripted import RATE, REPLY, Script, held, turns

SAID = "We are open from eight to six."


@dataclass
class Whole:
    """Says SAID, a word every 0.3 s of sound."""

    first: bool = True
    after_s: float = 0.3
    fails_after: int | None = None
    asked: list[tuple[int, list[Message]]] = field(default_factory=list)

    async def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[Sound, None]:
        self.asked.append((len(pcm), list(messages)))
        await asyncio.sleep(self.after_s)
        for number, word in enumerate(SAID.split()):
            if number == self.fails_after:
                raise ProviderError("the line broke")
            t = np.arange(int(RATE * 0.3)) / RATE
            yield Sound(pcm=(np.sin(2 * np.pi * 300 * t) * 8000).astype(np.int16), words=((word, len(t)),))


@pytest.fixture
def question(utterances: dict[str, Utterance]) -> Pcm:
    """1.6 s of speech."""
    return soundfile.read(utterances["parking"].file)


def test_it_is_asked_once_the_turn_is_over_and_heard(question: Pcm) -> None:
    whole = Whole()
    script = Script(whole=whole)
    events = held(script, question)
    (turn,) = turns(events)
    assert turn.reply == SAID
    assert script.asked == [], "the device's own language model has nothing to do"
    ((samples, talk),) = whole.asked
    assert samples > len(question) * 0.8
    assert talk == [Message("system", "You are a receptionist.")]
    assert turn.e2a_ms is not None
    assert turn.endpoint_ms is not None
    assert turn.e2a_ms == pytest.approx(turn.endpoint_ms + 300, abs=60)
    assert [e.text for e in events if isinstance(e, Caption) and e.who == "agent"] == SAID.split()


def test_where_nothing_comes_of_it_the_device_answers(question: Pcm) -> None:
    (turn,) = turns(held(Script(whole=Whole(fails_after=0)), question))
    assert turn.reply == REPLY


def test_where_it_breaks_off_there_is_an_apology(question: Pcm) -> None:
    events = held(Script(whole=Whole(fails_after=3)), question)
    assert [event.text for event in events if isinstance(event, FillerSpoken)] == [APOLOGY]


def test_where_the_device_fails_it_helps(question: Pcm) -> None:
    class Dead(Script):
        @property
        def dies_after(self) -> int:
            return 0

        @dies_after.setter
        def dies_after(self, value: int | None) -> None: ...

    (turn,) = turns(held(Dead(whole=Whole(first=False)), question))
    assert turn.reply == SAID
    well = Whole(first=False)
    (turn,) = turns(held(Script(whole=well), question))
    assert (turn.reply, well.asked) == (REPLY, [])


def test_a_recogniser_that_fails_is_an_apology_all_the_same(question: Pcm) -> None:
    events = held(Script(whole=Whole(first=False), stt_fails=True), question)
    assert [event.text for event in events if isinstance(event, FillerSpoken)] == [APOLOGY]
