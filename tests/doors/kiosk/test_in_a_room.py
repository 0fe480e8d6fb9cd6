"""A kiosk in a room: a device with real models, a virtual microphone and loudspeaker, and a visitor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from appliance.bench.device import running
from appliance.bench.kiosk import ENVIRON, QUIET_DBFS, SPEECH_DBFS, acoustics, as_environ, hissing
from appliance.bench.pulse import RATE, Pulse, pulse
from appliance.bench.room import Room
from appliance.bench.utterances import Utterance
from appliance.bench.visitor import Visitor
from appliance.doors.kiosk.devices import Kind
from appliance.doors.kiosk.sound import Heard, Sound
from appliance.dsp import soundfile
from appliance.terms.clock import SystemClock
from appliance.terms.config import KioskConfig
from appliance.terms.units import dbfs

WAKE = Path(__file__).parents[3] / "benchmarks" / "kiosk" / "wake"
BACK_WITHIN_S = 3.0


@asynccontextmanager
async def a_room() -> AsyncIterator[tuple[Pulse, Room]]:
    async with pulse() as server:
        hiss = server.folder / "hiss.wav"
        soundfile.write(hiss, hissing(), RATE)
        room = await Room.open(server, acoustics(str(hiss), QUIET_DBFS, small=False))
        try:
            yield server, room
        finally:
            await room.close()


@asynccontextmanager
async def a_kiosk(environ: dict[str, str]) -> AsyncIterator[tuple[Pulse, Room, Visitor]]:
    async with (
        a_room() as (server, room),
        running({**environ, **server.environ}) as device,
        Visitor(device.url, room, SPEECH_DBFS) as visitor,
    ):
        yield server, room, visitor


async def until(condition: object, within_s: float) -> float:
    """How long it took. `condition` is called."""
    assert callable(condition)
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s
        await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.model
@pytest.mark.timeout(240)
async def test_a_visitor_is_answered_interrupts_and_outlives_a_microphone_that_is_pulled_out(
    utterances: dict[str, Utterance],
) -> None:
    async with a_kiosk(ENVIRON) as (server, _, visitor):
        await visitor.come()
        asked = await visitor.ask(utterances["wifi"])
        assert asked.right, asked.turn
        assert asked.ms is not None
        assert not asked.cut_in
        over = await visitor.speak_over(utterances["open"], utterances["barge-toilets"])
        assert over.interrupted, over
        assert "toilet" in over.reply.lower()
        await server.unplug("mic")
        await until(lambda: visitor.state[1] == "microphone.missing", 5)
        await server.plug("mic")
        assert await until(lambda: visitor.state[1] == "", BACK_WITHIN_S + 1) < BACK_WITHIN_S
        again = await visitor.ask(utterances["manager"])
        assert again.right, again.turn
        calls = {message["call"] for _, message in visitor.messages if message["type"] == "call.started"}
        assert len(calls) == 1, "the same conversation went on"
        await visitor.go()


@pytest.mark.model
@pytest.mark.timeout(240)
async def test_a_wake_word_wakes_it_and_the_question_behind_it_is_heard() -> None:
    wake = {**ENVIRON, "FRONTDESK_KIOSK__WAKE": "word", "FRONTDESK_KIOSK__LEAVE_S": "4"}
    async with a_kiosk(wake) as (_, room, visitor):
        await until(lambda: visitor.state == ("idle", ""), 20)
        began = time.monotonic()
        await room.say(soundfile.read(WAKE / "bf_alice-6.ogg", rate=RATE), SPEECH_DBFS)
        await until(lambda: visitor.since(began, "turn"), 15)
        turn = visitor.since(began, "turn")[0]
        assert "toilets" in turn["transcript"].lower()
        assert "jarvis" not in turn["transcript"].lower()
        assert "lift" in turn["reply"].lower(), turn
        await until(lambda: visitor.state == ("idle", ""), 15)
        ended = visitor.since(began, "call.ended")
        assert [message["reason"] for message in ended] == ["left"]


async def test_either_device_may_be_pulled_out_and_is_back_within_three_seconds() -> None:
    changes: list[tuple[Kind, bool]] = []
    heard: list[Heard] = []
    config = KioskConfig(enabled=True, microphone="kiosk_mic", loudspeaker="kiosk_spk")
    async with a_room() as (server, room):
        with as_environ(server.environ):
            sound = Sound(config, SystemClock(), heard.append, lambda kind, works, why: changes.append((kind, works)))
            await sound.start()
            try:
                await until(lambda: any(frame.raw.any() for frame in heard), 5)
                for short, kind in (("mic", "microphone"), ("spk", "loudspeaker")):
                    changes.clear()
                    await server.unplug(short)  # type: ignore[arg-type]
                    await until(lambda kind=kind: (kind, False) in changes, 5)
                    before = len(heard)
                    await asyncio.sleep(0.5)
                    assert len(heard) - before >= 20, "time goes on"
                    await server.plug(short)  # type: ignore[arg-type]
                    assert await until(lambda kind=kind: (kind, True) in changes, BACK_WITHIN_S + 1) < BACK_WITHIN_S
                began = time.monotonic()
                heard.clear()
                sound.play((np.sin(np.arange(RATE // 2) * 0.13) * 8000).astype(np.int16))
                assert await room.speaks(began, 2) is not None
                await until(lambda: any(dbfs(frame.raw) > -40 for frame in heard), 2)
                await until(lambda: sound.queued_ms == 0, 2)
                assert sound.about()["dropped"] == 0
            finally:
                await sound.stop()


async def test_a_microphone_that_is_not_there_is_told_with_those_that_are(caplog: pytest.LogCaptureFixture) -> None:
    config = KioskConfig(enabled=True, microphone="Jabra", loudspeaker="kiosk_spk")
    changes: list[tuple[Kind, bool, str]] = []
    async with pulse() as server:
        with as_environ(server.environ):
            sound = Sound(config, SystemClock(), lambda heard: None, lambda *change: changes.append(change))
            await sound.start()
            await sound.stop()
    assert changes == [("microphone", False, "microphone.missing")]
    assert "there is no microphone 'Jabra'; there is" in caplog.text
    assert "'kiosk_mic'" in caplog.text
