"""Who has called before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.app.callers import Callers
from appliance.terms.clock import SystemClock
from appliance.terms.events import CallEnded, CallerForgotten, CallStarted, Event, MessageTaken

ANN = "+4930123456@pbx.example"


class Later(SystemClock):
    """So much later."""

    ahead = timedelta(0)

    def utc(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def call(name: str, caller: str = ANN, *more: Event) -> list[Event]:
    message = MessageTaken(call="c", door="sip", to="", text="Come.", name=name, number="12345")
    started = CallStarted(call="c", door="sip", resumed=False, caller=caller)
    return [started, message, *more, CallEnded(call="c", door="sip", reason="hangup", duration_s=1.0, turns=1)]


async def known(callers: Callers, caller: str = ANN) -> str:
    await asyncio.sleep(0.05)  # the disk's thread
    return await callers.name(caller)


async def test_a_caller_is_known_by_their_name_until_the_owners_days_are_over(tmp_path: Path) -> None:
    clock = Later()
    callers = Callers(tmp_path, 30, clock)
    callers.start()
    for event in (*call("Ann Bell"), *call("Nobody", ""), *call("Somebody", "bob@pbx.example")):
        callers.note(event)
    assert await known(callers) == "Ann Bell"
    assert await known(callers, "+4930999999@pbx.example") == ""
    assert await known(callers, "bob@pbx.example") == "", "no number"
    callers.stop()
    again = Callers(tmp_path, 30, clock)
    again.start()
    assert await known(again) == "Ann Bell"
    clock.ahead = timedelta(days=31)
    assert await known(again) == ""
    for event in call(""):
        again.note(event)
    await asyncio.sleep(0.05)
    clock.ahead = timedelta(0)
    assert await known(again) == "", "it is not on the disk any more, either"
    again.stop()


async def test_who_asks_for_it_is_forgotten(tmp_path: Path) -> None:
    callers = Callers(tmp_path, 30, SystemClock())
    callers.start()
    for event in (*call("Ann Bell"), *call("", ANN, CallerForgotten(call="c"))):
        callers.note(event)
    assert await known(callers) == ""
    callers.stop()
