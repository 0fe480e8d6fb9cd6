"""The contract with aiortc: what the seam reaches for is where it was, and does what it did."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from appliance.doors.aiortc_seam import Tap, codec, tap
from appliance.doors.ear import Ear
from appliance.rtp.codecs import SPOKEN
from appliance.terms.clock import SystemClock
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_SAMPLES, is_voiced


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(0.02)
        pcm = (np.sin(2 * np.pi * 440 * (np.arange(960) + self._count * 960) / 48_000) * 10_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._count * 960, Fraction(1, 48_000)
        self._count += 1
        return frame


async def connected(caller: RTCPeerConnection, device: RTCPeerConnection) -> None:
    await caller.setLocalDescription(await caller.createOffer())
    await device.setRemoteDescription(caller.localDescription)
    await device.setLocalDescription(await device.createAnswer())
    await caller.setRemoteDescription(device.localDescription)


async def test_packets_are_heard_before_aiortcs_own_buffer_and_the_end_is_still_told() -> None:
    caller, device = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    heard, tracks = list[Frame](), list[MediaStreamTrack]()
    ear = Ear(SystemClock(), heard.append)

    def on_track(track: MediaStreamTrack) -> None:
        tap(device, track, ear.hear)
        tracks.append(track)

    device.on("track", on_track)
    caller.addTrack(Tone())
    try:
        await connected(caller, device)
        async with asyncio.timeout(10):
            while sum(is_voiced(frame.pcm) for frame in heard) < 20:  # noqa: ASYNC110 - an ear tells nobody
                await asyncio.sleep(0.02)
        assert {len(frame.pcm) for frame in heard} == {FRAME_SAMPLES}
        report = {stats.type: stats for stats in (await device.getStats()).values()}
        assert report["inbound-rtp"].packetsReceived >= 20, "aiortc goes on counting"
    finally:
        await caller.close()
        async with asyncio.timeout(5):
            try:
                await tracks[0].recv()
                raise AssertionError("a frame came through")
            except MediaStreamError:
                pass
        await device.close()
        ear.close()


@pytest.mark.parametrize("name", sorted(SPOKEN))
async def test_each_codec_is_heard_through_the_tap_and_what_is_foreign_is_counted(name: str) -> None:
    caller, device = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    ears, taps, heard = list[Ear](), list[Tap](), list[Frame]()

    def on_track(track: MediaStreamTrack) -> None:
        ears.append(Ear(SystemClock(), heard.append, codec(device)))
        taps.append(tap(device, track, ears[0].hear))

    device.on("track", on_track)
    sender = caller.addTrack(Tone())
    wanted = [c for c in sender.getCapabilities("audio").codecs if c.mimeType.lower() == name]
    caller.getTransceivers()[0].setCodecPreferences(wanted)
    try:
        await connected(caller, device)
        assert codec(device) == codec(caller) == name
        async with asyncio.timeout(10):
            while sum(is_voiced(frame.pcm) for frame in heard) < 20:  # noqa: ASYNC110 - an ear tells nobody
                await asyncio.sleep(0.02)
        assert ears[0].counts.dropped == 0
        taps[0].add(RtpPacket(payload_type=77, sequence_number=1, timestamp=1, payload=b"x"))
        assert taps[0].foreign == 1
    finally:
        for ear in ears:
            ear.close()
        await caller.close()
        await device.close()


async def test_browsers_are_asked_to_repeat_lost_packets_and_to_be_silent_in_silence() -> None:
    caller, device = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    caller.addTrack(Tone())
    try:
        await connected(caller, device)
        line = next(line for line in device.localDescription.sdp.splitlines() if line.startswith("a=fmtp:96"))
        assert set(line.partition(" ")[2].split(";")) == {"minptime=10", "useinbandfec=1", "usedtx=1"}
    finally:
        await caller.close()
        await device.close()
