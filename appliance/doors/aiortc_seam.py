"""Where we reach into aiortc: its receiver's packets before its own jitter buffer.

That buffer holds 100 ms at all times, and after one lost packet throws good ones away and stays 200 ms late (its issue
543). So a tap takes its place: the receiver goes on with its RTCP statistics, and never decodes. `tests/doors/
test_aiortc_seam.py` fails where an aiortc has moved what is used here.
"""

from __future__ import annotations

from collections.abc import Callable

from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.rtp import RtpPacket

JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
OPUS = "audio/opus"

OnPacket = Callable[[int, int, bytes], None]
"""Is told an RTP sequence number, a timestamp and a payload."""


class _Tap:
    """Quacks like aiortc.jitterbuffer.JitterBuffer, and never has a frame to decode."""

    capacity = 16

    def __init__(self, on_packet: OnPacket, payload_types: set[int | None]) -> None:
        self._on_packet = on_packet
        self._payload_types = payload_types

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        if packet.payload and packet.payload_type in self._payload_types:
            self._on_packet(packet.sequence_number, packet.timestamp, packet.payload)
        return False, None


def sends_opus(peer: RTCPeerConnection) -> bool:
    """Is Opus what was agreed on for our sound?"""
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "audio" and transceiver._codecs:
            return bool(transceiver._codecs[0].mimeType.lower() == OPUS)
    return False


def tap_opus(peer: RTCPeerConnection, track: MediaStreamTrack, on_packet: OnPacket) -> bool:
    """Hand the Opus packets of a remote track to `on_packet`; False, and nothing is changed, where it is not Opus.

    From then on the track yields no frames; its end is told as before.
    """
    for transceiver in peer.getTransceivers():
        if transceiver.receiver is not None and transceiver.receiver.track is track:
            codecs = transceiver._codecs
            types = {codec.payloadType for codec in codecs if codec.mimeType.lower() == OPUS}
            if not codecs or codecs[0].payloadType not in types:
                return False
            if not hasattr(transceiver.receiver, JITTER_BUFFER):
                raise RuntimeError("this aiortc keeps its jitter buffer elsewhere: install the version that is locked")
            setattr(transceiver.receiver, JITTER_BUFFER, _Tap(on_packet, types))
            return True
    return False
