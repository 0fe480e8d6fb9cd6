"""The device's calls over its restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.bench.sample import TURN
from appliance.control.archive import Archive
from appliance.control.book import CallBook
from appliance.store.background import Background
from appliance.store.calls import CUT_SHORT, CallStore
from appliance.terms.clock import SystemClock
from appliance.terms.events import CallEnded, CallPlaced, CallStarted, CallTransferred, KeyPressed


class Start:
    """One start of the device."""

    def __init__(self, folder: Path, *, words: bool = False) -> None:
        self.store, self.background = CallStore(folder / "calls.db"), Background()
        self.archive = Archive(CallBook(), self.store, self.background, SystemClock(), words=words, days=30)
        self.background.start()

    def call(self, name: str, *, ends: bool = True) -> None:
        self.archive.note(CallStarted(call=name, door="sip", caller="+4930"))
        self.archive.note(replace(TURN, call=name))
        self.archive.note(KeyPressed(call=name, key="7"))
        self.archive.note(CallTransferred(call=name, to="100", done=True))
        if ends:
            self.archive.note(CallEnded(call=name, door="sip", reason="hangup", duration_s=9.0, turns=1))

    def stop(self) -> None:
        self.background.stop()
        self.store.close()


async def test_calls_outlive_the_device_and_their_words_do_not(tmp_path: Path) -> None:
    first = Start(tmp_path)
    first.call("a")
    live = await first.archive.call("a")
    assert live is not None
    assert (live["caller"], live["turn_events"][0]["transcript"]) == ("+4930", TURN.transcript)
    first.stop()
    second = Start(tmp_path)
    second.call("b", ends=False)
    assert [call["call"] for call in await second.archive.calls()] == ["b", "a"]
    kept = await second.archive.call("a")
    assert kept is not None
    assert (kept["caller"], kept["keys"], kept["transferred"]) == (None, None, None)
    assert (kept["turns"], kept["reason"], kept["duration_s"]) == (1, "hangup", 9.0)
    (turn,) = kept["turn_events"]
    assert (turn["transcript"], turn["reply"], turn["e2a_ms"]) == (None, None, 400.0)
    assert await second.archive.call("c") is None
    second.stop()
    third = Start(tmp_path)
    assert [(call["call"], call["reason"]) for call in await third.archive.calls()] == [
        ("b", CUT_SHORT),
        ("a", "hangup"),
    ]
    third.stop()


async def test_words_are_kept_where_the_owner_wants_that(tmp_path: Path) -> None:
    first = Start(tmp_path, words=True)
    first.call("a")
    first.stop()
    kept = await Start(tmp_path).archive.call("a")
    assert kept is not None
    assert (kept["caller"], kept["turn_events"][0]["reply"]) == ("+4930", TURN.reply)


async def test_a_call_of_ours_that_came_to_nothing_is_over(tmp_path: Path) -> None:
    first = Start(tmp_path)
    first.archive.note(CallPlaced(call="a", door="sip", to="100", progress="dialling"))
    first.archive.note(CallPlaced(call="a", door="sip", to="100", progress="busy"))
    first.stop()
    (call,) = await Start(tmp_path).archive.calls()
    assert (call["state"], call["placed"], call["reason"]) == ("ended", "busy", None)


@pytest.mark.parametrize("days", [0, 1])
async def test_without_a_disk_there_are_the_calls_of_this_start(days: int) -> None:
    archive = Archive(CallBook(), None, Background(), SystemClock(), words=True, days=days)
    archive.note(CallStarted(call="a", door="sip"))
    assert [call["call"] for call in await archive.calls()] == ["a"]
    assert await archive.call("b") is None
