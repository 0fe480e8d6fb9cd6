"""What the device remembers of its calls."""

from __future__ import annotations

from dataclasses import replace

from appliance.bench.sample import TURN
from appliance.control.book import CALLS, TURNS, CallBook
from appliance.terms.events import (
    CallEnded,
    CallPlaced,
    CallStarted,
    CallTransferred,
    EngineChanged,
    KeyPressed,
    State,
    StateChanged,
)

NOW = "2026-01-31T12:00:00.000Z"


def begun(book: CallBook, call: str) -> None:
    book.note(CallStarted(call=call, door="webrtc"), NOW)


def test_a_call_is_told_while_it_goes_on_and_when_it_has_ended() -> None:
    book = CallBook()
    begun(book, "a")
    book.note(StateChanged(call="a", state=State.SPEAKING), NOW)
    book.note(TURN, NOW)
    book.note(replace(TURN, turn=2, e2a_ms=None), NOW)
    book.note(replace(TURN, turn=3, e2a_ms=600.0), NOW)
    (call,) = book.calls()
    assert (call["state"], call["duration_s"], call["turns"], call["p50_ms"]) == ("speaking", None, 3, 500.0)
    book.note(CallEnded(call="a", door="webrtc", reason="hangup", duration_s=9.5, turns=3), NOW)
    whole = book.call("a")
    assert whole is not None
    assert (whole["state"], whole["reason"], whole["duration_s"]) == ("ended", "hangup", 9.5)
    assert [turn["turn"] for turn in whole["turn_events"]] == [1, 2, 3]
    assert whole["turn_events"][0]["transcript"] == TURN.transcript


def test_a_caller_who_comes_back_goes_on_with_the_same_call() -> None:
    book = CallBook()
    for name in ("a", "b"):
        begun(book, name)
        book.note(replace(TURN, call=name), NOW)
    book.note(CallEnded(call="a", door="webrtc", reason="lost", duration_s=5.0, turns=1), NOW)
    book.note(CallStarted(call="a", door="webrtc", resumed=True), NOW)
    first, second = book.calls()
    assert (first["call"], first["state"], first["turns"]) == ("a", "waiting", 1)
    assert second["call"] == "b"


def test_a_call_of_ours_is_told_from_dialling_on() -> None:
    book = CallBook()
    placed = CallPlaced(call="a", door="sip", to="100@pbx.example", progress="dialling")
    book.note(placed, NOW)
    (call,) = book.calls()
    assert (call["caller"], call["placed"], call["state"]) == ("100@pbx.example", "dialling", "waiting")
    book.note(replace(placed, progress="busy", why="486 Busy Here"), NOW)
    (call,) = book.calls()
    assert (call["placed"], call["why"], call["state"]) == ("busy", "486 Busy Here", "ended")


def test_keys_and_a_transfer_are_kept_with_the_call() -> None:
    book = CallBook()
    book.note(CallStarted(call="a", door="sip", caller="+4930123"), NOW)
    for key in "12#":
        book.note(KeyPressed(call="a", key=key), NOW)
    book.note(CallTransferred(call="a", to="100@pbx.example", done=False, why="busy"), NOW)
    assert book.calls()[0]["transferred"] is None
    book.note(CallTransferred(call="a", to="100@pbx.example", done=True), NOW)
    (call,) = book.calls()
    assert (call["caller"], call["keys"], call["transferred"]) == ("+4930123", "12#", "100@pbx.example")


def test_memory_is_bounded() -> None:
    book = CallBook()
    for i in range(CALLS + 50):
        begun(book, str(i))
    assert len(book.calls()) == CALLS
    assert book.call("0") is None
    for i in range(TURNS + 50):
        book.note(replace(TURN, call=str(CALLS), turn=i), NOW)
    whole = book.call(str(CALLS))
    assert whole is not None
    assert [turn["turn"] for turn in whole["turn_events"]] == list(range(50, TURNS + 50))


def test_events_of_unknown_calls_and_of_engines_change_nothing() -> None:
    book = CallBook()
    book.note(TURN, NOW)
    book.note(EngineChanged(engine="stt", ready=True, restarts=0, why=""), NOW)
    assert book.calls() == []
