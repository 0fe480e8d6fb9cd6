"""What a caller hears of us: packets of 20 ms, and in Opus none while nobody speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from appliance.rtp.adapt import Sending
from appliance.rtp.codecs import Encoder, encoder
from appliance.rtp.opus import CLOCK_RATE, SILENT_BYTES
from appliance.terms.clock import Clock
from appliance.terms.units import FRAME_MS, Pcm

RATE_OUT = CLOCK_RATE
FRAME_S = FRAME_MS / 1000
BEHIND_S = 1.0
SILENT_S = 0.4
"""In silence (DTX) so often a packet says that we are still there."""


class Source(Protocol):
    """Where the sound comes from: a `SpeechQueue`, or another caller's `Steady`. `rate` in Hz is one of Opus's."""

    rate: int

    @property
    def queued_ms(self) -> float: ...

    def take(self, samples: int) -> Pcm: ...


class Voice(MediaStreamTrack):
    """Takes a frame from `source` every 20 ms by the clock; the first one after a silence as soon as it is there.

    aiortc sends packets as they are, where it would encode frames in a thread, as stereo, after measuring them in pure
    Python.
    """

    kind = "audio"

    def __init__(self, source: Source, clock: Clock, *, codec: Callable[[], str]) -> None:
        """`codec` is asked once it is agreed on."""
        super().__init__()
        self.source = source
        self.sent_bytes = 0
        self._clock = clock
        self._codec = codec
        self._encoder: Encoder | None = None
        self._encoded_rate = 0
        self._sending = Sending()
        self._began: float | None = None
        self._due = 0.0
        self._sent = 0.0
        self._silent = False
        self._speech = asyncio.Event()

    def adapt(self, sending: Sending) -> None:
        """Send so from the next packet on."""
        self._sending = sending
        if self._encoder is not None:
            self._encoder.adapt(sending.bits_per_s, sending.expected_loss)

    def wake(self) -> None:
        """The source has something."""
        self._speech.set()

    async def recv(self) -> av.Packet[Any]:
        while True:
            await self._next_slot()
            if self.readyState != "live":
                raise MediaStreamError
            assert self._began is not None
            at, self._due = self._due, self._due + FRAME_S
            payload = self._encode(self.source.take(self.source.rate * FRAME_MS // 1000))
            was_silent, self._silent = self._silent, len(payload) <= SILENT_BYTES
            if not (was_silent and self._silent) or at - self._sent >= SILENT_S - FRAME_S / 2:
                break
        self._sent = at
        self.sent_bytes += len(payload)
        packet = av.Packet(payload)
        packet.pts, packet.time_base = round((at - self._began) * RATE_OUT), Fraction(1, RATE_OUT)
        return packet

    def _encode(self, pcm: Pcm) -> bytes:
        if self._encoder is None or self._encoded_rate != self.source.rate:
            self._encoded_rate = self.source.rate
            self._encoder = encoder(self._codec(), self._encoded_rate)
            self.adapt(self._sending)
        return self._encoder.encode(pcm)

    async def _next_slot(self) -> None:
        """Until the next frame is due: 20 ms after the last one, or, in silence, when there is something to say."""
        now = self._clock.now()
        if self._began is None:
            self._began = self._due = now
        if self._silent and not self.source.queued_ms:
            self._speech.clear()
            try:
                async with asyncio.timeout(SILENT_S):
                    await self._speech.wait()
            except TimeoutError:
                pass
            self._due = max(self._due, self._clock.now())
        elif now - self._due > BEHIND_S:
            self._due = now  # after a long stall: go on, do not catch up in a rush
        else:
            await asyncio.sleep(max(0.0, self._due - now))
