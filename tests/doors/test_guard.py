"""Packets that should not be: forged, replayed, foreign, unreadable, huge, too many. They are counted; a call lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtp import RtpPacket

from appliance.doors.aiortc_seam import BURST, Guard, Tap, guard, path, tap
from appliance.doors.ear import Ear
from appliance.terms.clock import SystemClock
from appliance.terms.frame import Frame
from appliance.terms.units import is_voiced
from tests.doors.test_aiortc_seam import Tone, connected


@dataclass
class Call:
    caller: RTCPeerConnection
    device: RTCPeerConnection
    heard: list[Frame] = field(default_factory=list)
    ears: list[Ear] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)

    async def sends(self, datagram: bytes) -> None:
        """As it is, to where the caller's packets go."""
        await self.caller.getTransceivers()[0].sender.transport.transport._send(datagram)

    def sealed(self, sequence: int, payload: bytes, payload_type: int = 96) -> bytes:
        """An RTP packet of the caller's, encrypted."""
        packet = RtpPacket(payload_type=payload_type, sequence_number=sequence, timestamp=sequence * 960)
        packet.ssrc, packet.payload = 7, payload
        sealed: bytes = self.caller.getTransceivers()[0].sender.transport._tx_srtp.protect(packet.serialize())
        return sealed

    async def still_heard(self) -> None:
        count = len(self.heard)
        async with asyncio.timeout(5):
            while sum(is_voiced(frame.pcm) for frame in self.heard[count:]) < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    alone = RTCConfiguration(iceServers=[])
    made = Call(RTCPeerConnection(alone), RTCPeerConnection(alone))

    def on_track(track: object) -> None:
        made.ears.append(Ear(SystemClock(), made.heard.append))
        made.taps.append(tap(made.device, track, made.ears[0].hear))  # type: ignore[arg-type]

    def on_state() -> None:
        if made.device.connectionState == "connected" and (found := guard(made.device, SystemClock())) is not None:
            made.guards.append(found)

    made.device.on("track", on_track)
    made.device.on("connectionstatechange", on_state)
    made.caller.addTrack(Tone())
    await connected(made.caller, made.device)
    await made.still_heard()
    yield made
    made.ears[0].close()
    await made.caller.close()
    await made.device.close()


async def test_what_is_forged_or_no_packet_at_all_is_refused_and_counted(call: Call) -> None:
    chance = random.Random(1)
    for size in (1, 2, 11, 12, 13, 60, 200, 1400):
        await call.sends(bytes([128 + chance.randrange(64)]) + chance.randbytes(size - 1))
    await call.sends(chance.randbytes(1472))
    await call.still_heard()
    assert call.guards[0].refused >= 6
    assert call.device.connectionState == "connected"


async def test_a_replayed_packet_is_refused(call: Call) -> None:
    sealed = call.sealed(9, b"x" * 40)
    await call.sends(sealed)
    await asyncio.sleep(0.05)
    before = call.guards[0].refused
    for _ in range(5):
        await call.sends(sealed)
    await call.still_heard()
    assert call.guards[0].refused == before + 5


async def test_foreign_and_unreadable_payloads_are_dropped_and_counted(call: Call) -> None:
    await call.sends(call.sealed(20_000, b"x" * 40, payload_type=0))
    await call.sends(call.sealed(20_001, b"\xff" * 1300))
    await call.sends(call.sealed(20_002, b""))
    await call.sends(call.sealed(52_000, b"\xff" * 1300))  # the caller's own begin anywhere: one of both is far
    await call.still_heard()
    assert call.taps[0].foreign == 1
    assert call.ears[0].counts.restarts >= 1


async def test_rtcp_garbage_is_no_harm(call: Call) -> None:
    session = call.caller.getTransceivers()[0].sender.transport._tx_srtp
    chance = random.Random(2)
    for kind in (200, 201, 202, 203, 204, 205, 206):
        body = chance.randbytes(chance.randrange(1, 12) * 4)
        head = bytes([128 + chance.randrange(32), kind]) + (1 + len(body) // 4).to_bytes(2, "big")
        await call.sends(session.protect_rtcp(head + chance.randbytes(4) + body))
    await call.still_heard()


async def test_a_flood_is_cut_down_and_the_call_lives(call: Call) -> None:
    for number in range(4 * BURST):
        await call.sends(call.sealed(number, b"x" * 40))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    assert call.guards[0].flooded >= BURST
    await asyncio.sleep(1.0)
    await call.still_heard()
    assert path(call.device) == "host/host"
