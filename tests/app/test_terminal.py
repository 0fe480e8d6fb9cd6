"""What the owner and the journal see of events: never what was said."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from appliance.app.terminal import Journal, JsonRecords, Terminal, open_terminal
from appliance.bench import sample
from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    Caption,
    EngineChanged,
    Event,
    FillerSpoken,
    KeyPressed,
    SourceBanned,
)

TURN = replace(
    sample.TURN, call="abcdefghijk", door="webrtc", transcript="my secret", reply="your secret", e2a_ms=600.0
)
EVENTS: list[Event] = [
    CallStarted(call="abcdefghijk", door="webrtc"),
    Caption(call="abcdefghijk", turn=1, who="caller", text="my secret"),
    TURN,
    replace(TURN, turn=2, e2a_ms=800.0),
    FillerSpoken(call="abcdefghijk", turn=3, text="your secret", apology=True),
    EngineChanged(engine="llm", ready=False, restarts=0, why="its process was killed by signal 9"),
]


def test_an_owner_sees_a_line_for_each_thing_and_how_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    with terminal.shown():
        terminal.ready("http://127.0.0.1:8080/", "")
        for event in EVENTS:
            terminal.tell(event)
        assert terminal.status() == "1 call · 2 turns · reply after 700 ms (p95 800) · down: llm"
        terminal.tell(EngineChanged(engine="llm", ready=True, restarts=1, why=""))
        terminal.tell(CallEnded(call="abcdefghijk", door="webrtc", reason="hangup", duration_s=12.3, turns=2))
        assert terminal.status() == "no call · 2 turns · reply after 700 ms (p95 800) · all engines ready"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "Frontdesk is warming up …",
        "Frontdesk is ready: http://127.0.0.1:8080/",
        "call abcdef began (webrtc)",
        "call abcdef turn 1: replied after 600 ms",
    ]
    assert lines[-3:] == ["llm is back", "call abcdef ended after 12 s: hangup", "Frontdesk has stopped."]
    assert "secret" not in "".join(lines)


def test_the_journal_gets_an_object_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    journal = open_terminal({"INVOCATION_ID": "x", "JOURNAL_STREAM": "8:1"}, verbose=False)
    assert isinstance(journal, Journal)
    for event in EVENTS:
        journal.tell(event)
    printed = capsys.readouterr()
    objects = [json.loads(line) for line in printed.err.splitlines()]
    assert [o["type"] for o in objects] == ["call.started", "turn", "turn", "filler", "engine"]
    assert objects[1]["e2a_ms"] == 600.0
    assert "secret" not in printed.err + printed.out


def test_a_log_record_is_an_object_too() -> None:
    record = logging.LogRecord("appliance.x", logging.WARNING, "", 1, "%s died", ("stt",), None)
    values = json.loads(JsonRecords().format(record))
    assert (values["level"], values["message"], values["type"]) == ("warning", "stt died", "log")


def test_who_calls_and_which_keys_they_press_stays_here(capsys: pytest.CaptureFixture[str]) -> None:
    number = "+4930123456"
    events: list[Event] = [
        CallStarted(call="a", door="sip", caller=number),
        CallPlaced(call="b", door="sip", to=number, progress="dialling"),
        CallRefused(door="sip", caller=number, why="busy"),
        CallTransferred(call="a", to=number, done=True),
        KeyPressed(call="a", key="7"),
        AccountChanged(account="agent@pbx.example", registered=False, why="401 Unauthorized"),
        SourceBanned(source="192.0.2.7", banned=1),
    ]
    journal, terminal = Journal(), Terminal()
    with terminal.shown():
        for event in events:
            journal.tell(event)
            terminal.tell(event)
    printed = capsys.readouterr()
    assert number not in printed.err + printed.out
    assert '"7"' not in printed.err
    for told in (
        "a caller was refused: busy",
        "agent@pbx.example is not registered: 401",
        "192.0.2.7 knocks too often",
    ):
        assert told in printed.out
