"""A line's quality: what RTCP, the jitter buffer and the encoder tell, put together every two seconds."""

from __future__ import annotations

from typing import Any

from aiortc import RTCPeerConnection

from appliance.rtp.adapt import Adapter, Sending
from appliance.rtp.codecs import OPUS
from appliance.rtp.opus import CLOCK_RATE
from appliance.terms.events import Network
from appliance.terms.units import FRAME_MS

from . import aiortc_seam
from .aiortc_seam import Guard, Tap
from .ear import Ear
from .voice import Voice

TELEPHONE_CLOCK = 8000
"""Of the RTP timestamps of G.711, and by an old mistake of G.722 (RFC 3551)."""


class NetworkMeter:
    """One call's. `measure` every `every_s`."""

    def __init__(self, peer: RTCPeerConnection, voice: Voice, every_s: float) -> None:
        self._peer = peer
        self._voice = voice
        self._every_s = every_s
        self._adapter = Adapter()
        self._expected = self._received = 0
        self._bytes_in = self._bytes_out = 0

    async def measure(self, ear: Ear, tap: Tap, guard: Guard | None) -> Network | None:
        """None until the caller's packets were heard. Adapts how our sound is sent to what the caller reports."""
        report = {stats.type: stats for stats in (await self._peer.getStats()).values()}
        ours, theirs = report.get("inbound-rtp"), report.get("remote-inbound-rtp")
        if ours is None:
            return None
        sending = self._adapter.report(theirs.fractionLost / 256) if theirs is not None else Sending()
        self._voice.adapt(sending)
        rtt_ms = _ms(theirs.roundTripTime) if theirs is not None and theirs.roundTripTime is not None else None
        clock_rate = CLOCK_RATE if aiortc_seam.codec(self._peer) == OPUS else TELEPHONE_CLOCK
        jitter_ms = _ms(ours.jitter / clock_rate)
        network = Network(
            rtt_ms=rtt_ms,
            jitter_ms=jitter_ms,
            loss_in=self._loss_in(ours),
            loss_out=round(theirs.fractionLost / 256, 4) if theirs is not None else None,
            buffer_ms=ear.wait_ms,
            concealed_ms=ear.concealed_ms,
            bitrate=self._rate(ear.heard_bytes - self._bytes_in),
            bitrate_out=self._rate(self._voice.sent_bytes - self._bytes_out),
            lost=ear.counts.lost,
            recovered=ear.recovered,
            late=ear.counts.late,
            refused=tap.foreign + ear.counts.dropped + (guard.refused + guard.flooded if guard is not None else 0),
            path=aiortc_seam.path(self._peer),
            mouth_to_ear_ms=None if rtt_ms is None else round(rtt_ms / 2 + FRAME_MS + jitter_ms, 1),
        )
        self._bytes_in, self._bytes_out = ear.heard_bytes, self._voice.sent_bytes
        return network

    def _loss_in(self, ours: Any) -> float:
        expected, received = ours.packetsReceived + ours.packetsLost, ours.packetsReceived
        due, came = expected - self._expected, received - self._received
        self._expected, self._received = expected, received
        return round(max(0, due - came) / due, 4) if due > 0 else 0.0

    def _rate(self, sent: int) -> float:
        return round(sent * 8 / self._every_s)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
