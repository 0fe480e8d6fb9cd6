"""What leaves the device of what happens in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from appliance.bench import sample
from appliance.store.outbox import Item, Lost
from appliance.telemetry.reporter import RANKS, SLOW_TURNS, Reporter
from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallStarted,
    Caption,
    EngineChanged,
    KeyPressed,
    SourceBanned,
)

TS = "2026-01-31T12:00:00.000Z"
SECRET = "my number is 4711"
TURN = replace(sample.TURN, transcript=SECRET, reply=SECRET)


class Box:
    def __init__(self, *, text: bool = False) -> None:
        self.items: list[Item] = []
        self.reporter = Reporter(self.items.append, 7, text=text, alert_p50_ms=600, alert_p95_ms=1200)
        self.now = 0.0

    def note(self, *events: Any) -> None:
        for event in events:
            self.now += 1
            self.reporter.note(event, self.now, TS)

    def told(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(item.payload) for item in self.items if item.topic == topic]


@pytest.fixture
def box() -> Box:
    return Box()


def test_turns_and_calls_are_numbered_in_one_row(box: Box) -> None:
    box.note(
        CallStarted(call="a", door="sip", caller="+49301"),
        TURN,
        CallEnded(call="a", door="sip", reason="hangup", duration_s=9.0, turns=1),
    )
    assert [(i.topic, i.boot, i.seq, i.rank) for i in box.items] == [
        ("call", 7, 1, RANKS["call"]),
        ("turn", 7, 2, RANKS["turn"]),
        ("call", 7, 3, RANKS["call"]),
    ]
    (turn,) = box.told("turn")
    assert {key: turn[key] for key in ("type", "boot", "seq", "ts", "historical", "e2a_ms")} == {
        "type": "turn",
        "boot": 7,
        "seq": 2,
        "ts": TS,
        "historical": False,
        "e2a_ms": 400.0,
    }
    assert [call["type"] for call in box.told("call")] == ["call.started", "call.ended"]


@pytest.mark.parametrize("text", [False, True])
def test_words_and_callers_leave_only_where_the_owner_wants_that(text: bool) -> None:
    box = Box(text=text)
    caption = Caption(call="a", turn=1, who="caller", text=SECRET)
    box.note(CallStarted(call="a", door="sip", caller="+49301"), caption, KeyPressed(call="a", key="7"), TURN)
    told = b"".join(item.payload for item in box.items)
    assert (SECRET.encode() in told, b"+49301" in told) == (text, text)
    assert len(box.items) == 2, "captions and keys are for the live call"
    assert box.told("turn")[0]["transcript"] == (SECRET if text else None)


def test_engines_accounts_and_scanners_are_alerts(box: Box) -> None:
    box.note(
        EngineChanged(engine="llm", ready=True, restarts=0, why=""),
        EngineChanged(engine="llm", ready=False, restarts=0, why="killed"),
        EngineChanged(engine="llm", ready=True, restarts=1, why=""),
        AccountChanged(account="a@pbx", registered=False, why="401"),
        SourceBanned(source="192.0.2.1", banned=1),
    )
    assert [alert["type"] for alert in box.told("alert")] == ["engine", "engine", "account", "banned"]


def test_slow_turns_are_told_once_and_again_when_they_are_quick(box: Box) -> None:
    slow, quick = replace(TURN, e2a_ms=700.0), replace(TURN, e2a_ms=500.0)
    box.note(*[slow] * (SLOW_TURNS + 10))
    (alert,) = box.told("alert")
    assert (alert["type"], alert["p50_ms"], alert["bar"]) == ("turns.slow", 700.0, 600)
    assert box.reporter.state(box.now)["slow"]
    box.note(*[replace(TURN, e2a_ms=580.0)] * SLOW_TURNS)
    assert len(box.told("alert")) == 1, "not yet well below the bar"
    box.note(*[quick] * SLOW_TURNS)
    assert [alert["type"] for alert in box.told("alert")] == ["turns.slow", "turns.quick"]


def test_one_very_slow_turn_is_told(box: Box) -> None:
    box.note(replace(TURN, e2a_ms=2500.0), replace(TURN, e2a_ms=None))
    assert [alert["type"] for alert in box.told("alert")] == ["turn.slow"]


def test_what_the_outbox_gave_up_is_told(box: Box) -> None:
    box.reporter.gave_up([Lost(boot=6, count=40, first=3, last=90)], TS)
    (alert,) = box.told("alert")
    assert (alert["type"], alert["count"], alert["of_boot"], alert["first_seq"], alert["last_seq"]) == (
        "events.lost",
        40,
        6,
        3,
        90,
    )


def test_the_state_has_the_last_hours_figures_by_door(box: Box) -> None:
    box.note(CallStarted(call="a", door="sip"), *[replace(TURN, e2a_ms=float(ms)) for ms in range(100, 1100, 100)])
    box.note(replace(TURN, door="webrtc", e2a_ms=50.0), EngineChanged(engine="llm", ready=True, restarts=2, why=""))
    state = box.reporter.state(box.now)
    assert state["calls"] == 1
    assert state["turns"]["sip"] == {"count": 10, "p50_ms": 550.0, "p95_ms": 1000.0}
    assert state["turns"]["webrtc"]["count"] == 1
    assert state["engines"] == {"llm": {"ready": True, "restarts": 2}}
    assert box.reporter.state(box.now + 4000)["turns"] == {}
