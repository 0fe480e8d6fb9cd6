"""The figures of sounds over a reply."""

from __future__ import annotations

from typing import Any

from appliance.bench.overlap import summary


def row(group: str, silent_ms: float | None, *, interrupted: bool) -> dict[str, Any]:
    return {"group": group, "silent_ms": silent_ms, "interrupted": interrupted, "turn": {"barge_in_ms": silent_ms}}


def test_interruptions_and_murmurs_are_counted_apart() -> None:
    found = summary(
        [
            row("barge", 200.0, interrupted=True),
            row("barge", 400.0, interrupted=True),
            row("barge", None, interrupted=False),
            row("murmur", 300.0, interrupted=False),
            row("murmur", 300.0, interrupted=True),
        ]
    )
    assert (found["barge_in"], found["silenced"], found["silent_p50_ms"]) == (3, 2, 300.0)
    assert (found["murmurs"], found["replies_lost"], found["lost_share"]) == (2, 1, 0.5)


def test_nothing_measured_is_no_figure() -> None:
    assert summary([])["lost_share"] == 0.0
