"""Calls that outlive the device's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.store.calls import AT_ONCE, CUT_SHORT, CallStore
from appliance.terms.errors import DeviceError


def summary(call: str, *, day: int = 1, state: str = "ended") -> dict[str, Any]:
    return {"call": call, "started": f"2026-01-{day:02}T12:00:00.000Z", "state": state, "reason": "hangup"}


def test_a_call_and_its_turns_are_there_after_a_restart(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "calls.db")
    store.keep(summary("a", state="speaking"), {"turn": 1, "e2a_ms": 400.0})
    store.keep(summary("a", state="speaking"), {"turn": 2, "e2a_ms": 500.0})
    store.keep(summary("a"))
    store.close()
    again = CallStore(tmp_path / "calls.db")
    assert again.call("a") == {
        **summary("a"),
        "turn_events": [{"turn": 1, "e2a_ms": 400.0}, {"turn": 2, "e2a_ms": 500.0}],
    }
    assert again.call("b") is None


def test_a_call_that_the_device_did_not_survive_is_told_as_such(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "calls.db")
    store.keep(summary("a", state="speaking"))
    store.close()
    (call,) = CallStore(tmp_path / "calls.db").calls(10)
    assert (call["state"], call["reason"]) == ("ended", CUT_SHORT)


def test_the_newest_come_first_and_the_old_are_forgotten(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "calls.db", most=3)
    for day in range(1, 8):
        store.keep(summary(f"call {day}", day=day), {"turn": 1})
    assert [call["call"] for call in store.calls(2)] == ["call 7", "call 6"]
    store.prune("2026-01-03T00:00:00.000Z")
    assert [call["call"] for call in store.calls(10)] == ["call 7", "call 6", "call 5"]
    assert store.call("call 1") is None
    assert store._database.rows("SELECT count(*) FROM turns") == [(3,)]


def test_a_clock_that_is_years_ahead_for_a_while_does_not_cost_all_calls(tmp_path: Path) -> None:
    store = CallStore(tmp_path / "calls.db")
    for number in range(AT_ONCE + 50):
        store.keep(summary(f"call {number:03}"))
    store.prune("2036-01-01T00:00:00.000Z")
    assert len(store.calls(1000)) == 50


def test_what_is_no_database_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "calls.db").write_bytes(b"rubbish" * 1000)
    assert CallStore(tmp_path / "calls.db").calls(10) == []
    assert (tmp_path / "calls.damaged").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match=r"calls\.db"):
        CallStore(tmp_path / "file" / "calls.db")
