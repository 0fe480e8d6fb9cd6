"""What a caller hears of us: packets of 20 ms, and in Opus none while nobody speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from appliance.rtp.codecs import Encoder, encoder
from appliance.rtp.opus import CLOCK_RATE, SILENT_BYTES
from appliance.terms.clock import Clock
from appliance.terms.units import FRAME_MS

from .queue import SpeechQueue

RATE_OUT = CLOCK_RATE
FRAME_OUT = RATE_OUT * FRAME_MS // 1000
FRAME_S = FRAME_MS / 1000
BEHIND_S = 1.0
SILENT_S = 0.4
"""In silence (DTX) so often a packet says that we are still there."""


class Voice(MediaStreamTrack):
    """Takes a frame from the queue every 20 ms by the clock; the first one after a silence as soon as it is there.

    aiortc sends packets as they are, where it would encode frames in a thread, as stereo, after measuring them in pure
    Python.
    """

    kind = "audio"

    def __init__(self, queue: SpeechQueue, clock: Clock, *, codec: Callable[[], str]) -> None:
        """`codec` is asked once it is agreed on."""
        super().__init__()
        self._queue = queue
        self._clock = clock
        self._codec = codec
        self._encoder: Encoder | None = None
        self._began: float | None = None
        self._due = 0.0
        self._silent = False
        self._speech = asyncio.Event()

    def wake(self) -> None:
        """Something was queued."""
        self._speech.set()

    async def recv(self) -> av.Packet[Any]:
        await self._next_slot()
        if self.readyState != "live":
            raise MediaStreamError
        assert self._began is not None
        pts = round((self._due - self._began) * RATE_OUT)
        pcm = self._queue.take(FRAME_OUT)
        self._due += FRAME_S
        if self._encoder is None:
            self._encoder = encoder(self._codec(), RATE_OUT)
        payload = self._encoder.encode(pcm)
        self._silent = len(payload) <= SILENT_BYTES
        packet = av.Packet(payload)
        packet.pts, packet.time_base = pts, Fraction(1, RATE_OUT)
        return packet

    async def _next_slot(self) -> None:
        """Until the next frame is due: 20 ms after the last one, or, in silence, when there is something to say."""
        now = self._clock.now()
        if self._began is None:
            self._began = self._due = now
        if self._silent and not self._queue.queued_ms:
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
