"""Turn-taking with plain data: 20 ms frames of silero's verdicts, and a clock that is a number."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.turns import (
    BOTH_FINISHED_S,
    CHUNK_S,
    SOUND_AGAINST_WORDS_S,
    TABLE,
    WORDS_AGAINST_SOUND_S,
    WORDS_ALONE_S,
    Floor,
    PauseBegan,
    SpeechBegan,
    SpeechResumed,
    TurnEvent,
    TurnOver,
    TurnTaking,
    finished,
)

FRAME_S = 0.02
MAX_PAUSE_S = 1.1
MAX_TURN_S = 20.0
SPEAKING = 0.9
SILENT = 0.05


@dataclass
class Talk:
    """A caller who speaks and pauses; `events` with the clock's time."""

    turns: TurnTaking = field(default_factory=lambda: TurnTaking(max_pause_s=MAX_PAUSE_S, max_turn_s=MAX_TURN_S))
    now: float = 100.0
    events: list[TurnEvent] = field(default_factory=list)
    _owed: float = 0.0

    def hear(self, probability: float, seconds: float, *, agent_audible: bool = False) -> Talk:
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            self._owed += FRAME_S
            chunks: tuple[float, ...] = ()
            if self._owed >= CHUNK_S:
                self._owed -= CHUNK_S
                chunks = (probability,)
            self.events += self.turns.hear(chunks, self.now, agent_audible=agent_audible)
        return self

    def says(self, seconds: float) -> Talk:
        return self.hear(SPEAKING, seconds)

    def pauses(self, seconds: float, *, sound: float | None = None, words: bool | None = None) -> Talk:
        """The witnesses speak 200 ms into the pause."""
        self.hear(SILENT, min(0.2, seconds))
        self.turns.judge(sound=sound, words=words)
        return self.hear(SILENT, seconds - min(0.2, seconds))

    def kinds(self) -> list[type[TurnEvent]]:
        return [type(event) for event in self.events]


def test_a_turn_begins_pauses_and_is_over() -> None:
    talk = Talk().says(1.0).pauses(2.0, sound=0.9, words=True)
    assert talk.kinds() == [SpeechBegan, PauseBegan, TurnOver]
    began, paused, over = talk.events
    assert began.at == pytest.approx(100.1, abs=0.04)
    assert isinstance(paused, PauseBegan)
    assert isinstance(over, TurnOver)
    assert paused.since == over.since == pytest.approx(101.0, abs=0.04)
    assert over.at - over.since == pytest.approx(BOTH_FINISHED_S, abs=FRAME_S)


@pytest.mark.parametrize(
    ("sound", "words", "pause_s"),
    [
        (0.9, True, BOTH_FINISHED_S),
        (None, True, WORDS_ALONE_S),
        (0.1, True, WORDS_AGAINST_SOUND_S),
        (0.9, False, SOUND_AGAINST_WORDS_S),
        (0.9, None, MAX_PAUSE_S),
        (0.1, False, MAX_PAUSE_S),
        (None, None, MAX_PAUSE_S),
    ],
)
def test_how_long_a_pause_must_last_is_what_the_witnesses_ask_for(
    sound: float | None, words: bool | None, pause_s: float
) -> None:
    over = Talk().says(1.0).pauses(2.0, sound=sound, words=words).events[-1]
    assert isinstance(over, TurnOver)
    assert over.at - over.since == pytest.approx(pause_s, abs=FRAME_S)


def test_max_pause_is_the_longest_whatever_is_said() -> None:
    talk = Talk(turns=TurnTaking(max_pause_s=0.5, max_turn_s=MAX_TURN_S)).says(1.0).pauses(1.0, sound=0.1, words=True)
    over = talk.events[-1]
    assert isinstance(over, TurnOver)
    assert over.at - over.since == pytest.approx(0.5, abs=FRAME_S)


@given(st.floats(0.0, 0.3), st.sampled_from([None, 0.0, 1.0]), st.sampled_from([None, False, True]))
def test_a_breath_never_ends_a_turn(breath_s: float, sound: float | None, words: bool | None) -> None:
    talk = Talk().says(1.0).pauses(breath_s, sound=sound, words=words).says(1.0)
    assert TurnOver not in talk.kinds()
    assert talk.turns.floor is Floor.VOICED


def test_what_was_said_of_one_pause_does_not_count_for_the_next() -> None:
    talk = Talk().says(1.0).pauses(0.3, sound=0.9, words=True).says(1.0).pauses(2.0)
    assert talk.kinds() == [SpeechBegan, PauseBegan, SpeechResumed, PauseBegan, TurnOver]
    over = talk.events[-1]
    assert isinstance(over, TurnOver)
    assert over.at - over.since == pytest.approx(MAX_PAUSE_S, abs=FRAME_S)


def test_a_click_is_no_speech() -> None:
    assert Talk().says(0.06).pauses(1.0).says(0.06).pauses(1.0).events == []


def test_a_murmur_does_not_interrupt_the_agent_but_speech_does() -> None:
    talk = Talk().hear(SPEAKING, 0.2, agent_audible=True).hear(SILENT, 0.5, agent_audible=True)
    assert talk.events == []
    talk.hear(SPEAKING, 0.3, agent_audible=True)
    assert talk.kinds() == [SpeechBegan]


def test_an_endless_talker_is_answered() -> None:
    talk = Talk().says(MAX_TURN_S + 1.0)
    assert talk.kinds()[:2] == [SpeechBegan, TurnOver]
    assert talk.events[1].at - talk.events[0].at == pytest.approx(MAX_TURN_S, abs=FRAME_S)


def test_the_next_turn_is_not_overlong_because_the_last_one_began_long_ago() -> None:
    talk = Talk().says(1.0).pauses(60.0, sound=0.9, words=True).says(1.0)
    assert talk.kinds() == [SpeechBegan, PauseBegan, TurnOver, SpeechBegan]


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.02, 3.0)), max_size=20))
def test_whatever_is_heard_the_events_follow_the_table(heard: list[tuple[float, float]]) -> None:
    talk = Talk()
    for probability, seconds in heard:
        talk.hear(probability, seconds)
    allowed = {(state, event): after for (state, _), (after, event) in TABLE.items()}
    floor = Floor.QUIET
    for event in talk.events:
        floor = allowed[floor, type(event)]
    assert floor is talk.turns.floor


@pytest.mark.parametrize(
    "text", ["When are you open?", "Parking", "Thank you.", "I would like to book a room", "What is it for?"]
)
def test_whole_utterances_are_finished(text: str) -> None:
    assert finished(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "When are you open and",
        "My name is",
        "I'd like to...",
        "Could you",
        "On Monday,",
        "Tell me the",
        "Um",
    ],
)
def test_a_trailing_word_that_needs_another_is_not_finished(text: str) -> None:
    assert not finished(text)
