"""Where we reach into aiortc, and nowhere else.

Its receiver's buffer holds 100 ms at all times, and after one lost packet throws good ones away and stays 200 ms late
(its issue 543); what it decodes it queues without bound. So a tap takes the buffer's place: the receiver goes on with
its RTCP statistics, and never decodes. `tests/doors/test_aiortc_seam.py` fails where an aiortc has moved what is used
here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import aiortc.codecs
import pylibsrtp
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.rtp import RtpPacket

from appliance.rtp.codecs import OPUS, SPOKEN
from appliance.terms.clock import Clock

JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
ICE_TRANSPORTS = "_RTCPeerConnection__iceTransports"
TURN_PROTOCOL = "_TurnTransport__inner_protocol"
OPUS_PARAMETERS = {"minptime": 10, "useinbandfec": 1, "usedtx": 1}
"""What we ask of who sends us Opus (RFC 7587): to repeat each packet in the next one, and to send none in silence."""

PACKETS_PER_S, BURST = 250, 250
"""Of RTP and RTCP. A caller sends 50 a second, and after a stall all that waited."""

OnPacket = Callable[[int, bytes], None]
"""Is told an RTP sequence number and a payload."""

for _codec in aiortc.codecs.CODECS["audio"]:
    if _codec.mimeType == OPUS:
        _codec.parameters.update(OPUS_PARAMETERS)


class Tap:
    """Quacks like aiortc.jitterbuffer.JitterBuffer, and never has a frame to decode."""

    capacity = 16

    def __init__(self, on_packet: OnPacket, payload_type: int | None) -> None:
        self.foreign = 0
        """Packets of other types than what was agreed on."""
        self._on_packet = on_packet
        self._payload_type = payload_type

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        if packet.payload_type != self._payload_type:
            self.foreign += 1
        elif packet.payload:
            self._on_packet(packet.sequence_number, packet.payload)
        return False, None


class Guard:
    """Stands before aiortc's decryption of packets, counts what is refused, and lets no caller flood us.

    aiortc drops what cannot be decrypted (forged, replayed) or read, and tells nobody.
    """

    def __init__(self, session: Any, clock: Clock) -> None:
        self.refused = 0
        """Forged or replayed, or no RTP at all."""
        self.flooded = 0
        """More than a caller may send."""
        self._session = session
        self._clock = clock
        self._credit = float(BURST)
        self._at = clock.now()

    def unprotect(self, packet: bytes) -> bytes:
        return self._let(self._session.unprotect, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        return self._let(self._session.unprotect_rtcp, packet)

    def _let(self, unprotect: Callable[[bytes], bytes], packet: bytes) -> bytes:
        try:
            plain = unprotect(packet)
        except pylibsrtp.Error:
            self.refused += 1
            raise
        now = self._clock.now()
        self._credit, self._at = min(BURST, self._credit + (now - self._at) * PACKETS_PER_S), now
        if self._credit < 1:
            self.flooded += 1
            raise pylibsrtp.Error("too many packets")
        self._credit -= 1
        return plain


def codec(peer: RTCPeerConnection) -> str:
    """Which codec was agreed on for sound, as SDP names it; empty where it is none that is spoken here."""
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "audio" and transceiver._codecs:
            name = transceiver._codecs[0].mimeType.lower()
            return name if name in SPOKEN else ""
    return ""


def tap(peer: RTCPeerConnection, track: MediaStreamTrack, on_packet: OnPacket) -> Tap:
    """Hand the packets of a remote track to `on_packet`: it yields no more frames, and its end is told as before.

    Raises RuntimeError where this aiortc keeps its buffer elsewhere, or `track` is none of the peer's.
    """
    for transceiver in peer.getTransceivers():
        if transceiver.receiver is not None and transceiver.receiver.track is track:
            if not hasattr(transceiver.receiver, JITTER_BUFFER):
                raise RuntimeError("this aiortc keeps its jitter buffer elsewhere: install the version that is locked")
            tapped = Tap(on_packet, transceiver._codecs[0].payloadType)
            setattr(transceiver.receiver, JITTER_BUFFER, tapped)
            return tapped
    raise RuntimeError("the track is none of this connection's")


def guard(peer: RTCPeerConnection, clock: Clock) -> Guard | None:
    """Put a guard before the peer's media, once it is connected; None where it has none, or is closed again."""
    for transceiver in peer.getTransceivers():
        transport = transceiver.receiver.transport
        if transport is not None and transport._rx_srtp is not None:
            standing = Guard(transport._rx_srtp, clock)
            transport._rx_srtp = standing  # type: ignore[assignment]
            return standing
    return None


def path(peer: RTCPeerConnection) -> str | None:
    """How the packets go, as the kinds of both ends' addresses: `host/host`, `relay/srflx`; None until it is known."""
    for transport in getattr(peer, ICE_TRANSPORTS):
        for pair in transport._connection._nominated.values():
            return f"{pair.local_candidate.type}/{pair.remote_candidate.type}"
    return None


def mark(peer: RTCPeerConnection, dscp: int) -> None:
    """Ask the networks to treat what the peer sends in that way (RFC 2474); once its addresses are gathered."""
    for transport in getattr(peer, ICE_TRANSPORTS):
        for protocol in transport._connection._protocols:
            relayed = getattr(protocol.transport, TURN_PROTOCOL, None)
            sock = (relayed or protocol).transport.get_extra_info("socket")
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
            else:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
