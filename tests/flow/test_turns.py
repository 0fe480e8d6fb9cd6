"""Turn-taking with plain data: 20 ms frames of silero's verdicts, and a clock that is a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.turns import (
    CHUNK_S,
    CONFIDENT_S,
    NEEDED,
    NEVER,
    TABLE,
    Floor,
    OverlapEnded,
    PauseBegan,
    ReplyHeld,
    ReplyResumed,
    SpeechBegan,
    SpeechResumed,
    TurnEvent,
    TurnOver,
    TurnTaking,
)
from appliance.flow.wording import Words

FRAME_S = 0.02
MAX_PAUSE_S = 1.5
MAX_TURN_S = 20.0
SPEAKING = 0.9
SILENT = 0.05


@dataclass
class Talk:
    """A caller who speaks and pauses; `events` with the clock's time."""

    turns: TurnTaking = field(default_factory=lambda: TurnTaking(max_pause_s=MAX_PAUSE_S, max_turn_s=MAX_TURN_S))
    now: float = 100.0
    events: list[TurnEvent] = field(default_factory=list)
    agent: bool = False
    _owed: float = 0.0

    def hear(self, probability: float, seconds: float) -> Talk:
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            self._owed += FRAME_S
            chunks: tuple[float, ...] = ()
            if self._owed >= CHUNK_S:
                self._owed -= CHUNK_S
                chunks = (probability,)
            self.events += self.turns.hear(chunks, self.now, agent_talking=self.agent)
        return self

    def says(self, seconds: float) -> Talk:
        return self.hear(SPEAKING, seconds)

    def pauses(self, seconds: float, *, sound: float | None = None, words: Words | None = None) -> Talk:
        """The witnesses speak 140 ms into the pause."""
        self.hear(SILENT, min(0.14, seconds))
        self.turns.judge(sound=sound, words=words)
        return self.hear(SILENT, seconds - min(0.14, seconds))

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def last_pause_s(self) -> float:
        over = self.events[-1]
        assert isinstance(over, TurnOver)
        return over.at - over.since


def names(*kinds: type[object]) -> list[str]:
    return [kind.__name__ for kind in kinds]


SURE = {"sound": 0.9, "words": Words.ASKED}


def test_a_turn_begins_pauses_and_is_over() -> None:
    talk = Talk().says(1.0).pauses(2.0, sound=0.9, words=Words.ASKED)
    assert talk.kinds() == names(SpeechBegan, PauseBegan, TurnOver)
    began, paused, over = talk.events
    assert began.at == pytest.approx(100.1, abs=0.04)
    assert isinstance(paused, PauseBegan)
    assert isinstance(over, TurnOver)
    assert paused.since == over.since == pytest.approx(101.0, abs=0.04)
    assert talk.last_pause_s() == pytest.approx(CONFIDENT_S, abs=FRAME_S)


@pytest.mark.parametrize("words", list(NEEDED))
@pytest.mark.parametrize(("sound", "column"), [(0.9, 0), (None, 1), (0.1, 2)])
def test_how_long_a_pause_must_last_is_what_the_witnesses_ask_for(
    sound: float | None, words: Words | None, column: int
) -> None:
    talk = Talk().says(1.0).pauses(2.0, sound=sound, words=words)
    assert talk.last_pause_s() == pytest.approx(min(NEEDED[words][column], MAX_PAUSE_S), abs=FRAME_S)


def test_no_single_witness_holds_a_plainly_finished_question_for_long() -> None:
    assert max(NEEDED[Words.ASKED]) <= 0.5


@pytest.mark.parametrize("words", [Words.ASKED, Words.LIKELY, Words.PERHAPS, Words.TOLD])
def test_a_patient_owner_makes_every_pause_longer(words: Words) -> None:
    talk = Talk(turns=TurnTaking(1.5, max_pause_s=5.0, max_turn_s=MAX_TURN_S)).says(1.0)
    talk.pauses(3.0, sound=0.9, words=words)
    assert talk.last_pause_s() == pytest.approx(1.5 * NEEDED[words][0], abs=FRAME_S)


def test_max_pause_is_the_longest_whatever_is_said() -> None:
    talk = Talk(turns=TurnTaking(max_pause_s=0.5, max_turn_s=MAX_TURN_S)).says(1.0)
    talk.pauses(1.0, sound=0.1, words=Words.UNFINISHED)
    assert talk.last_pause_s() == pytest.approx(0.5, abs=FRAME_S)


@given(st.floats(0.0, 0.16), st.sampled_from([None, 0.0, 1.0]), st.sampled_from([None, Words.ASKED, Words.UNFINISHED]))
def test_a_breath_never_ends_a_turn(breath_s: float, sound: float | None, words: Words | None) -> None:
    talk = Talk().says(1.0).pauses(breath_s, sound=sound, words=words).says(1.0)
    assert "TurnOver" not in talk.kinds()
    assert talk.turns.floor is Floor.VOICED


def test_silence_is_a_pause_while_silero_still_fades() -> None:
    talk = Talk().says(1.0)
    for frame in range(4):
        talk.now += FRAME_S
        talk.events += talk.turns.hear((0.8,), talk.now, quiet_s=FRAME_S * (frame + 1))
    assert talk.kinds() == names(SpeechBegan, PauseBegan)
    paused = talk.events[-1]
    assert isinstance(paused, PauseBegan)
    assert paused.at - paused.since == pytest.approx(0.04, abs=FRAME_S / 2), "the first silent frame may hold its end"


def test_what_was_said_of_one_pause_does_not_count_for_the_next() -> None:
    talk = Talk().says(1.0).pauses(0.14, sound=0.9, words=Words.ASKED).says(1.0).pauses(2.0)
    assert talk.kinds() == names(SpeechBegan, PauseBegan, SpeechResumed, PauseBegan, TurnOver)
    assert talk.last_pause_s() == pytest.approx(MAX_PAUSE_S, abs=FRAME_S)


def test_a_caller_who_pauses_long_is_given_time() -> None:
    talk = Talk()
    for _ in range(2):
        talk.says(1.0).pauses(0.8, sound=0.1, words=Words.UNFINISHED)
    talk.says(1.0).pauses(3.0, sound=0.1, words=Words.ASKED)
    assert talk.last_pause_s() == pytest.approx(0.8 * 1.25, abs=0.06)
    quick = Talk(turns=talk.turns, now=talk.now).says(1.0).pauses(3.0, sound=0.9, words=Words.ASKED)
    assert quick.last_pause_s() == pytest.approx(CONFIDENT_S, abs=FRAME_S), "unless all witnesses are sure"


def test_after_a_cut_in_every_pause_must_last_longer() -> None:
    talk = Talk()
    talk.turns.pauses.cut_in()
    talk.says(1.0).pauses(3.0, sound=0.9, words=Words.ASKED)
    assert talk.last_pause_s() == pytest.approx(CONFIDENT_S + 0.15, abs=FRAME_S)


def test_a_click_is_no_speech() -> None:
    assert Talk().says(0.06).pauses(1.0).says(0.06).pauses(1.0).events == []


def test_a_blip_over_the_agent_only_lowers_its_voice() -> None:
    assert Talk(agent=True).says(0.14).turns.floor is Floor.OVER
    talk = Talk(agent=True).says(0.14).hear(SILENT, 0.3)
    assert talk.turns.floor is Floor.QUIET
    assert talk.events == []


def test_speech_over_the_agent_silences_it_and_then_interrupts() -> None:
    talk = Talk(agent=True).says(1.3)
    assert talk.kinds() == names(ReplyHeld, SpeechBegan)
    held, began = talk.events
    assert isinstance(held, ReplyHeld)
    assert isinstance(began, SpeechBegan)
    assert held.at - held.since < 0.24
    assert began.over_agent
    assert began.since == held.since
    assert began.at - began.since == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("meant", [True, False])
def test_what_is_short_is_weighed_by_its_words(meant: bool) -> None:
    talk = Talk(agent=True).says(0.4).hear(SILENT, 0.3)
    assert talk.kinds() == names(ReplyHeld, OverlapEnded)
    assert talk.turns.floor is Floor.WEIGHED
    talk.turns.weigh(meant=meant)
    talk.hear(SILENT, 0.04)
    assert talk.kinds()[2:] == (names(SpeechBegan, PauseBegan) if meant else names(ReplyResumed))
    assert talk.turns.floor is (Floor.PAUSED if meant else Floor.QUIET)


def test_two_murmurs_in_a_row_are_heard_together() -> None:
    talk = Talk(agent=True).says(0.3).hear(SILENT, 0.25).says(0.3).hear(SILENT, 0.25)
    assert talk.kinds() == names(ReplyHeld, OverlapEnded, OverlapEnded)


def test_when_nobody_can_tell_the_agent_goes_on() -> None:
    talk = Talk(agent=True).says(0.4).hear(SILENT, 3.0)
    assert talk.kinds() == names(ReplyHeld, OverlapEnded, ReplyResumed)


def test_an_agent_that_finishes_meanwhile_leaves_the_floor() -> None:
    talk = Talk(agent=True).says(0.12)
    talk.agent = False
    talk.says(0.5)
    assert talk.kinds() == names(SpeechBegan)


def test_an_endless_talker_is_answered() -> None:
    talk = Talk().says(MAX_TURN_S + 1.0)
    assert talk.kinds()[:2] == names(SpeechBegan, TurnOver)
    assert talk.events[1].at - talk.events[0].at == pytest.approx(MAX_TURN_S, abs=FRAME_S)


def test_the_next_turn_is_not_overlong_because_the_last_one_began_long_ago() -> None:
    talk = Talk().says(1.0).pauses(60.0, sound=0.9, words=Words.ASKED).says(1.0)
    assert talk.kinds() == names(SpeechBegan, PauseBegan, TurnOver, SpeechBegan)


STEP = st.tuples(
    st.floats(0.0, 1.0),
    st.floats(0.02, 3.0),
    st.booleans(),
    st.sampled_from([None, 0.1, 0.9]),
    st.sampled_from([None, *Words]),
    st.sampled_from([None, True, False]),
)


@given(st.lists(STEP, max_size=20))
def test_whatever_happens_the_events_follow_the_table_and_silence_leads_back_to_listening(
    steps: list[tuple[float, float, bool, float | None, Words | None, bool | None]],
) -> None:
    talk = Talk()
    for probability, seconds, agent, sound, words, meant in steps:
        talk.agent = agent
        talk.turns.judge(sound=sound, words=words)
        if meant is not None:
            talk.turns.weigh(meant=meant)
        talk.hear(probability, seconds)
    speaking = False  # nobody begins to speak twice, nor ends what did not begin
    for kind in talk.kinds():
        assert (kind == "SpeechBegan") <= (not speaking)
        assert (kind in ("PauseBegan", "SpeechResumed", "TurnOver")) <= speaking
        speaking = kind in ("SpeechBegan", "PauseBegan", "SpeechResumed") or (speaking and kind != "TurnOver")
    held = [kind for kind in talk.kinds() if kind in ("ReplyHeld", "ReplyResumed", "SpeechBegan")]
    assert ("ReplyHeld", "ReplyHeld") not in list(pairwise(held)), "what is held goes on, or is interrupted"
    talk.hear(SILENT, 3.0)
    assert talk.turns.floor is Floor.QUIET


def test_every_state_can_be_left_and_only_said_so_in_the_table() -> None:
    assert {floor for floor, _ in TABLE} == set(Floor)
    assert {floor for floor, _ in TABLE.values()} == set(Floor)
    assert min(value for row in NEEDED.values() for value in row) >= CONFIDENT_S
    assert NEEDED[None] == (NEVER, NEVER, NEVER), "no pause ends before somebody has looked at it"
