"""What `bench turn` makes of its callers' rows."""

from __future__ import annotations

from typing import Any

from appliance.bench.turn import summary
from appliance.bench.utterances import Utterance

WORDS = {"speculations": 2, "wasted_tokens": 5, "llm_tokens": 15}
PARTS = {"e2a_ms": 600.0, "endpoint_ms": 450.0, "stt_ms": 0.0, "llm_ms": 50.0, "tts_ms": 90.0, "playout_ms": 10.0}


def row(ms: float | None, **more: Any) -> dict[str, Any]:
    plain = {"cut_in": False, "filler": False, "longest_gap_ms": 20.0, "right": True}
    return {"ms": ms, "turn": {**PARTS, **WORDS} if ms is not None else {}, **plain, **more}


def test_figures_are_of_the_answered_rows_and_counts_of_all() -> None:
    rows = [row(800.0), row(900.0), row(1000.0, longest_gap_ms=900.0), row(None, right=False, cut_in=True)]
    found = summary(rows)
    assert (found["asked"], found["answered"], found["right"]) == (4, 3, 3)
    assert (found["p50_ms"], found["p95_ms"], found["max_ms"]) == (900.0, 990.0, 1000.0)
    assert (found["cut_in"], found["broken"], found["fillers"]) == (1, 1, 0)
    assert found["device_p50_ms"]["endpoint_ms"] == 450.0
    assert (found["speculations"], found["wasted_share"]) == (6, 0.25)
    assert (found["parts_off_ms"], found["outside_ms"]) == (0.0, [210.0, 300.0, 390.0])


def test_without_an_answer_there_is_no_figure_and_no_failure() -> None:
    found = summary([row(None, right=False)])
    assert found["answered"] == 0
    assert found["p50_ms"] is found["p95_ms"] is found["max_ms"] is None


def test_every_utterance_is_there_and_is_not_right_by_silence(utterances: dict[str, Utterance]) -> None:
    assert len([u for u in utterances.values() if u.group == "question"]) >= 12
    for utterance in utterances.values():
        assert utterance.file.is_file()
        assert not utterance.right("")
