"""The phone with real SIP and RTP on loopback, an agent that repeats what it hears, and no models."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from appliance.bench.switchboard import TRUSTING, Phone, listen, phone, tone
from appliance.bench.telephone import Refused
from appliance.doors.sip.hours import DAYS
from appliance.doors.sip.watch import MOST_REFUSED
from appliance.terms.errors import BadInput, EngineError
from appliance.terms.events import CallPlaced, CallRefused, CallTransferred, KeyPressed, NetworkMeasured, SourceBanned
from appliance.terms.units import dbfs

from .conftest import echo, telephone

CLOSED_NOW = f"{DAYS[(datetime.now().weekday() + 3) % 7]} 09:00-10:00"


def loudness(heard: list[np.ndarray]) -> float:
    return dbfs(np.concatenate(heard)) if heard else -np.inf


@pytest.mark.parametrize("codec", ["audio/pcmu", "audio/pcma", "audio/g722"])
async def test_a_call_is_answered_and_heard_both_ways(desk: Phone, codec: str) -> None:
    async with telephone(codec=codec) as caller:
        await caller.call(desk.uri)
        caller.say(tone(1.0, 8000))
        await desk.until(lambda: len(caller.voiced) >= 40)
        await caller.hang_up()
        await desk.until(lambda: desk.lines[0].ended)
    assert desk.lines[0].ended == "hangup"
    assert desk.lines[0].caller.startswith("tester@127.0.0.1")
    assert desk.lines[0].played_samples > 0.7 * desk.lines[0].rate_out


async def test_the_device_hangs_up(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        desk.door.hang_up(desk.lines[0].call)
        await asyncio.wait_for(caller.ended.wait(), 5)
    with pytest.raises(BadInput):
        desk.door.hang_up(desk.lines[0].call)


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"deny": ["tester@*"]}, 603, "denied"),
        ({"allow": ["+49*"]}, 603, "denied"),
        ({"hours": CLOSED_NOW}, 480, "closed"),
        ({"hours": CLOSED_NOW, "overflow": "sip:night@pbx.example"}, 302, "closed"),
    ],
)
async def test_who_may_not_call_is_told_so(changes: dict[str, object], status: int, why: str) -> None:
    async with phone(replace(TRUSTING, **changes), echo) as desk, telephone() as caller:  # type: ignore[arg-type]
        with pytest.raises(Refused) as refused:
            await caller.call(desk.uri)
        assert refused.value.status == status
        if status == 302:
            assert caller.said.headers["contact"] == "<sip:night@pbx.example>"
        assert [event.why for event in desk.told(CallRefused)] == [why]
        assert not desk.lines


async def test_anonymous_callers_are_refused_where_the_owner_wants_that() -> None:
    async with phone(replace(TRUSTING, anonymous=False), echo) as desk, telephone(user="anonymous") as caller:
        with pytest.raises(Refused, match="433"):
            await caller.call(desk.uri)


async def test_a_full_device_is_busy() -> None:
    async with phone(TRUSTING, echo, most=1) as desk, telephone() as first, telephone() as second:
        await first.call(desk.uri)
        with pytest.raises(Refused, match="486"):
            await second.call(desk.uri)
        assert [event.why for event in desk.told(CallRefused)] == ["busy"]
        assert not first.ended.is_set()


async def test_a_password_is_asked_for_and_checked() -> None:
    secret = replace(TRUSTING, password="geheim")
    async with phone(secret, echo) as desk:
        async with telephone(user="frontdesk", password="geheim") as caller:
            await caller.call(desk.uri)
            await desk.until(lambda: desk.lines)
        for user, password in (("frontdesk", "wrong"), ("somebody", "geheim")):
            async with telephone(user=user, password=password) as stranger:
                with pytest.raises(Refused, match="401"):
                    await stranger.call(desk.uri)
        assert len(desk.lines) == 1


async def test_who_guesses_passwords_is_ignored_by_the_kernel() -> None:
    async with phone(replace(TRUSTING, trusted=[], password="geheim"), echo) as desk:
        for _ in range(MOST_REFUSED):
            async with telephone("127.0.0.66", user="frontdesk", password="guess") as scanner:
                with pytest.raises(Refused):
                    await asyncio.wait_for(scanner.call(desk.uri), 3.0)
        await desk.until(lambda: desk.told(SourceBanned))
        async with telephone("127.0.0.66", user="frontdesk", password="geheim") as scanner:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(scanner.call(desk.uri), 1.0)
        async with telephone(user="frontdesk", password="geheim") as caller:
            await caller.call(desk.uri)
        assert [event.source for event in desk.told(SourceBanned)] == ["127.0.0.66"]


async def test_the_ring_time_is_waited_and_who_gives_up_is_not_answered() -> None:
    async with phone(replace(TRUSTING, ring_s=0.6), echo) as desk, telephone() as caller:
        await caller.call(desk.uri)
        assert caller.answered_s > 0.55


async def test_keys_reach_the_agent_and_can_be_pressed_by_it(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        caller.press("42#")
        await desk.until(lambda: len(desk.told(KeyPressed)) == 3)
        assert "".join(event.key for event in desk.told(KeyPressed)) == "42#"
        await desk.door.send_keys(desk.lines[0].call, "1*d")
        await desk.until(lambda: len(caller.keys) == 3)
        assert caller.keys == "1*D"
        with pytest.raises(BadInput):
            await desk.door.send_keys(desk.lines[0].call, "12x")


async def test_tones_in_the_sound_are_keys_where_the_owner_wants_that() -> None:
    at = np.arange(800) / 8000
    five = (6000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at))).astype(np.int16)
    for wanted, keys in ((True, ["5"]), (False, [])):
        async with phone(replace(TRUSTING, tone_keys=wanted), listen) as desk, telephone() as caller:
            await caller.call(desk.uri)
            await desk.until(lambda: desk.lines)
            caller.say(np.concatenate([five, np.zeros(800, np.int16)]))
            await desk.until(lambda: not caller.speaking)
            await asyncio.sleep(0.3)
            assert [event.key for event in desk.told(KeyPressed)] == keys


async def test_a_held_agent_hears_nothing_and_time_goes_on(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        line = desk.lines[0]
        await caller.hold(on=True)
        await desk.until(lambda: line.held)
        await caller.hold(on=False)
        await desk.until(lambda: not line.held)
        caller.heard.clear()
        caller.say(tone(0.5, 8000))
        await desk.until(lambda: loudness(caller.heard[-10:]) > -30)


async def test_a_call_of_ours_that_rings_can_be_given_up(desk: Phone) -> None:
    async with telephone() as callee:
        callee.picks_up = None
        call = await desk.door.dial(callee.uri, "Hello.")
        await desk.until(lambda: callee.called.is_set())
        desk.door.hang_up(call)
        await asyncio.wait_for(callee.ended.wait(), 5)
        await desk.until(lambda: desk.told(CallPlaced)[-1].why == "given up")


async def test_callers_who_give_up_at_once_leave_nothing_behind(desk: Phone) -> None:
    async with telephone() as caller:
        for _ in range(20):
            caller.invite_and_cancel(desk.uri)
        await caller.call(desk.uri)
        await desk.until(lambda: len(desk.door._exchange.legs) == 1)


async def test_a_caller_is_handed_on_once_at_a_time(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        call = desk.lines[0].call
        desk.door.hold(call, on=True)
        transfer = asyncio.create_task(desk.door.redirect(call, "sip:100@127.0.0.1:9"))
        await desk.until(lambda: caller.referred)
        with pytest.raises(BadInput, match="already"):
            await desk.door.redirect(call, "sip:100@127.0.0.1:9")
        await caller.notify(486)
        with pytest.raises(EngineError):
            await transfer
        assert desk.lines[0].held, "its owner still holds it"
        desk.door.hold(call, on=False)
        assert not desk.lines[0].held


async def test_a_machine_is_left_a_message_after_its_beep(desk: Phone) -> None:
    async with telephone() as machine:
        await desk.door.dial(machine.uri, "Please call us back.")
        await desk.until(lambda: machine.called.is_set())
        machine.say(np.concatenate([np.zeros(2000, np.int16), tone(0.4, 8000, 1000.0)]))
        await asyncio.wait_for(machine.ended.wait(), 10)
        assert len(machine.voiced) > 15
        await desk.until(lambda: desk.told(CallPlaced)[-1].progress == "message left")
        assert not desk.lines


async def test_a_held_caller_waits(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        call = desk.lines[0].call
        desk.door.hold(call, on=True)
        caller.heard.clear()
        await desk.until(lambda: len(caller.heard) > 20)
        assert desk.lines[0].held
        assert -62 < loudness(caller.heard[-10:]) < -48, "a soft noise"
        desk.door.hold(call, on=False)
        caller.say(tone(0.5, 8000))
        await desk.until(lambda: len(caller.voiced) > 10)


async def test_a_call_of_ours_is_answered(desk: Phone) -> None:
    async with telephone() as callee:
        call = await desk.door.dial(callee.uri, "Hello.")
        await desk.until(lambda: callee.called.is_set())
        callee.say(tone(0.1, 8000))
        await desk.until(lambda: desk.lines)
        assert (desk.lines[0].call, desk.lines[0].opening) == (call, "Hello.")
        assert [event.progress for event in desk.told(CallPlaced)] in (
            ["dialling", "answered"],
            ["dialling", "ringing", "answered"],
        )
        callee.say(tone(0.5, 8000))
        await desk.until(lambda: len(callee.voiced) > 15)
        desk.door.hang_up(call)
        await asyncio.wait_for(callee.ended.wait(), 5)


@pytest.mark.parametrize(
    ("status", "progress"), [(486, "busy"), (603, "declined"), (480, "no answer"), (404, "failed")]
)
async def test_a_call_of_ours_that_comes_to_nothing_says_why(desk: Phone, status: int, progress: str) -> None:
    async with telephone() as callee:
        callee.picks_up = status
        await desk.door.dial(callee.uri, "Hello.")
        await desk.until(lambda: {e.progress for e in desk.told(CallPlaced)} - {"dialling", "ringing"})
        last = desk.told(CallPlaced)[-1]
        assert last.progress == progress
        assert str(status) in last.why
        assert not desk.lines


async def test_nothing_is_called_that_the_owner_does_not_allow() -> None:
    async with phone(replace(TRUSTING, dial=["+4930*"]), echo) as desk:
        for to in ("sip:+1900123@127.0.0.1", "sip:x@evil.example", "sip:+4930@evil.example?Replaces=1", "nonsense", ""):
            with pytest.raises(BadInput):
                await desk.door.dial(to, "Hello.")
        assert not desk.told(CallPlaced)


async def test_a_transfer_that_fails_gives_the_caller_back(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        line = desk.lines[0]
        transfer = asyncio.create_task(desk.door.redirect(line.call, "sip:100@127.0.0.1:9"))
        await desk.until(lambda: caller.referred)
        assert caller.referred.startswith("sip:100@127.0.0.1:9")
        assert line.held
        await caller.notify(486)
        with pytest.raises(EngineError):
            await transfer
        assert not line.held
        assert [event.done for event in desk.told(CallTransferred)] == [False]
        caller.say(tone(0.5, 8000))
        await desk.until(lambda: len(caller.voiced) > 10)


async def test_a_key_of_the_dial_plan_hands_the_caller_on(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        caller.press("0")
        await desk.until(lambda: caller.referred)
        assert caller.referred.startswith("sip:reception@127.0.0.1:9")
        await caller.notify(200)
        await desk.until(lambda: desk.lines[0].ended)
        assert desk.lines[0].ended == "transferred"
        assert [event.done for event in desk.told(CallTransferred)] == [True]


async def test_a_killed_worker_loses_its_calls_and_takes_new_ones(desk: Phone) -> None:
    async with telephone() as caller, telephone() as second:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        assert desk.worker.pid is not None
        os.kill(desk.worker.pid, signal.SIGKILL)
        await desk.until(lambda: desk.lines[0].ended)
        assert desk.lines[0].ended == "lost"
        await desk.until(lambda: desk.worker.restarts == 1 and desk.worker.is_ready)
        await second.call(desk.uri)
        await desk.until(lambda: len(desk.lines) == 2)


async def test_who_is_on_the_phone_hears_that_the_device_stops() -> None:
    async with telephone() as caller, telephone() as ringing:
        async with phone(replace(TRUSTING, dial=["*@*"]), echo) as desk:
            await caller.call(desk.uri)
            ringing.picks_up = None
            await desk.door.dial(ringing.uri, "Hello.")
            await desk.until(lambda: ringing.called.is_set())
        assert caller.ended.is_set()
        assert ringing.ended.is_set()


async def test_a_caller_who_vanishes_is_noticed() -> None:
    async with phone(replace(TRUSTING, rtp_timeout_s=2), echo) as desk, telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        caller.close()
        await desk.until(lambda: desk.lines[0].ended, within_s=15)
        assert desk.lines[0].ended == "lost"


async def test_a_flush_silences_the_line_at_once() -> None:
    async with phone(TRUSTING, listen) as desk, telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        line = desk.lines[0]
        await asyncio.sleep(0.3)
        line.play(tone(1.0, line.rate_out))
        await desk.until(lambda: len(caller.voiced) > 5)
        heard = len(caller.voiced)
        line.flush()
        await asyncio.sleep(0.5)
        assert len(caller.voiced) - heard <= 3
        assert line.queued_ms == 0
        assert line.played_samples < 0.5 * line.rate_out


async def test_the_line_is_measured(desk: Phone) -> None:
    async with telephone() as caller:
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        caller.report()
        await desk.until(lambda: desk.told(NetworkMeasured))
        network = desk.told(NetworkMeasured)[-1].network
        assert network is not None
        assert network.loss_in == 0
        assert network.buffer_ms is not None
