"""The language model dies in the middle of a reply: who can goes on, and no word is said twice."""

from __future__ import annotations

import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.flow.phrases import APOLOGY, FILLER
from appliance.terms.events import Caption, FillerSpoken
from appliance.terms.units import Pcm

from .scripted import REPLY, Script, held, turns


@pytest.fixture
def question(utterances: dict[str, Utterance]) -> Pcm:
    """1.6 s of speech."""
    return soundfile.read(utterances["parking"].file)


@pytest.mark.parametrize("dies_after", range(0, 20, 2))
def test_the_rest_is_said_once(question: Pcm, dies_after: int) -> None:
    script = Script(dies_after=dies_after)
    events = held(script, question)
    (turn,) = turns(events)
    assert turn.reply == REPLY
    assert not any(isinstance(event, FillerSpoken) for event in events)
    said = " ".join(event.text for event in events if isinstance(event, Caption) and event.who == "agent")
    assert said == REPLY
    going_on = script.asked[-1][-1]
    if going_on.role == "assistant":
        assert REPLY.startswith(going_on.text)


def test_a_long_silence_in_the_middle_is_covered_by_speech(question: Pcm) -> None:
    events = held(Script(dies_after=8, gone_s=6.0), question)
    (turn,) = turns(events)
    assert turn.reply == REPLY, "the filler is none of the reply's words"
    assert [event.text for event in events if isinstance(event, FillerSpoken)] == [FILLER]
    assert turn.filler_ms is None


def test_who_dies_again_apologises(question: Pcm) -> None:
    class Mortal(Script):
        """It dies at the first word, whenever it is asked."""

        @property
        def dies_after(self) -> int:
            return 0

        @dies_after.setter
        def dies_after(self, value: int | None) -> None: ...

    events = held(Mortal(), question)
    assert [event.text for event in events if isinstance(event, FillerSpoken)] == [APOLOGY]
