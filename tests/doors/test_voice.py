"""What a browser hears of us, packet by packet, in virtual time; the encoder is real."""

from __future__ import annotations

import asyncio

import av
import numpy as np
import pytest

from appliance.bench.warp import LoopClock, warped
from appliance.doors.queue import SpeechQueue
from appliance.doors.voice import RATE_OUT, SILENT_S, Voice
from appliance.rtp.codecs import OPUS, decoder
from appliance.rtp.opus import SILENT_BYTES, Decoder
from appliance.terms.units import Pcm, dbfs

FRAME_OUT = RATE_OUT // 50


def tone(seconds: float) -> Pcm:
    return (np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE_OUT)) / RATE_OUT) * 10_000).astype(np.int16)


async def packets(voice: Voice, count: int) -> list[tuple[float, int, bytes]]:
    """When each came, its RTP time, its bytes."""
    clock, found = LoopClock(), []
    for _ in range(count):
        packet = await voice.recv()
        assert isinstance(packet, av.Packet)
        assert packet.pts is not None
        found.append((clock.now(), packet.pts, bytes(packet)))
    return found


def test_speech_goes_out_every_20_ms_and_is_what_was_queued() -> None:
    async def run() -> None:
        queue = SpeechQueue(RATE_OUT)
        queue.put(tone(0.4))
        sent = await packets(Voice(queue, LoopClock(), codec=lambda: OPUS), 20)
        assert np.diff([at for at, _, _ in sent]) == pytest.approx(0.02, abs=1e-6)
        assert set(np.diff([pts for _, pts, _ in sent])) == {FRAME_OUT}
        decoder = Decoder(RATE_OUT)
        heard = np.concatenate([decoder.decode(payload) for _, _, payload in sent])
        assert dbfs(heard[-FRAME_OUT:]) == pytest.approx(dbfs(tone(0.02)), abs=2)
        assert max(len(payload) for _, _, payload in sent[5:]) < 200

    warped(run())


def test_in_silence_few_packets_go_out_and_speech_then_waits_for_no_slot() -> None:
    async def run() -> None:
        queue = SpeechQueue(RATE_OUT)
        queue.put(tone(0.1))
        voice = Voice(queue, LoopClock(), codec=lambda: OPUS)
        sent = await packets(voice, 5)
        while len(sent[-1][2]) > SILENT_BYTES:
            sent += await packets(voice, 1)
        assert sent[-1][0] - sent[0][0] < 1.0, "silence is told as such soon"
        began = LoopClock().now()
        quiet = await packets(voice, 5)
        assert LoopClock().now() - began == pytest.approx(5 * SILENT_S, rel=0.1)
        assert all(len(payload) <= SILENT_BYTES for _, _, payload in quiet)

        speaking = asyncio.create_task(packets(voice, 3))
        await asyncio.sleep(0.1234)
        queue.put(tone(0.06))
        voice.wake()
        spoken_at = LoopClock().now()
        spoken = await speaking
        assert spoken[0][0] == spoken_at
        assert spoken[0][1] - quiet[-1][1] == pytest.approx((spoken_at - quiet[-1][0]) * RATE_OUT, abs=2)
        assert np.diff([at for at, _, _ in spoken]) == pytest.approx(0.02, abs=1e-6)
        assert len(spoken[0][2]) > SILENT_BYTES

    warped(run())


def test_after_a_long_stall_it_goes_on_and_does_not_catch_up() -> None:
    async def run() -> None:
        queue = SpeechQueue(RATE_OUT)
        queue.put(tone(1.0))
        voice = Voice(queue, LoopClock(), codec=lambda: OPUS)
        await packets(voice, 3)
        await asyncio.sleep(3.0)
        after = await packets(voice, 3)
        assert np.diff([at for at, _, _ in after]) == pytest.approx(0.02, abs=1e-6)

    warped(run())


def test_a_telephone_gets_its_own_codec_at_an_even_pace() -> None:
    async def run() -> None:
        queue = SpeechQueue(RATE_OUT)
        queue.put(tone(0.4))
        sent = await packets(Voice(queue, LoopClock(), codec=lambda: "audio/pcmu"), 40)
        assert {len(payload) for _, _, payload in sent} == {160}
        assert np.diff([at for at, _, _ in sent]) == pytest.approx(0.02, abs=1e-6)
        heard = np.concatenate([decoder("audio/pcmu", 8000).decode(payload) for _, _, payload in sent])
        assert dbfs(heard[1600:3000]) == pytest.approx(dbfs(tone(0.02)), abs=1)
        assert dbfs(heard[-160:]) < -60

    warped(run())
