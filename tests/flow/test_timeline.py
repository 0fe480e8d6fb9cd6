"""Whose fault the wait was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.timeline import PARTS, Timeline

MOMENT = st.none() | st.floats(90.0, 120.0)


def test_each_instant_belongs_to_the_earliest_thing_unfinished() -> None:
    line = Timeline(spoke_until=10.0, decided=10.5, transcript=10.4, clause=10.7, pcm=10.8, handed=10.82)
    assert line.parts() == {
        "e2a_ms": 820.0,
        "endpoint_ms": 500.0,
        "stt_ms": 0.0,  # finished before the decision
        "llm_ms": 200.0,
        "tts_ms": 100.0,
        "playout_ms": 20.0,
    }


def test_without_a_reply_nothing_is_claimed() -> None:
    assert set(Timeline(spoke_until=10.0, decided=10.5).parts().values()) == {None}


@given(MOMENT, MOMENT, MOMENT, MOMENT, st.floats(100.0, 130.0))
def test_the_parts_sum_to_the_whole(
    decided: float | None, transcript: float | None, clause: float | None, pcm: float | None, handed: float
) -> None:
    line = Timeline(spoke_until=100.0, decided=decided, transcript=transcript, clause=clause, pcm=pcm, handed=handed)
    parts = line.parts()
    values = [parts[name] for name in PARTS]
    assert all(value is not None and value >= 0 for value in values)
    assert sum(value or 0.0 for value in values) == pytest.approx(parts["e2a_ms"], abs=0.05)
    assert parts["e2a_ms"] == pytest.approx((handed - 100.0) * 1000, abs=0.5)


def test_stages_are_told_from_the_end_of_speech_and_hidden_work_is_counted() -> None:
    line = Timeline(spoke_until=10.0, decided=10.5, transcript=10.2, clause=10.4, pcm=10.6, handed=10.6)
    line.began.update(stt=10.1, llm=10.2)
    line.ended.update(stt=10.2)
    stages = line.stages()
    assert (stages["stt"].start_ms, stages["stt"].end_ms) == (100.0, 200.0)
    assert (stages["llm"].start_ms, stages["llm"].end_ms) == (200.0, 200.0)
    assert line.was_speculated()
    assert line.hidden_ms() == 400.0
