"""The caller's Opus packets as frames of 20 ms, as soon as they may be heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from appliance.rtp.jitter import Counts, JitterBuffer, Lost, Packet, Piece
from appliance.rtp.opus import CLOCK_RATE, Decoder
from appliance.terms.clock import Clock
from appliance.terms.units import CAPTURE_RATE, FRAME_MS, FRAME_SAMPLES, Pcm

FADES = 3
"""A line that stalls is concealed for so many frames; then it is silent."""


class Ear:
    """`hear` each packet; `frames` gives (320,) int16, 16 kHz mono, for as long as it is iterated."""

    def __init__(self, clock: Clock) -> None:
        self.heard_at = clock.now()
        """When the last packet came."""
        self.concealed_ms = 0.0
        self._clock = clock
        self._jitter = JitterBuffer(CLOCK_RATE)
        self._decoder = Decoder(CAPTURE_RATE)
        self._news = asyncio.Event()
        self._stalls = 0

    @property
    def counts(self) -> Counts:
        return self._jitter.counts

    @property
    def wait_ms(self) -> float:
        """How long it waits for what is missing."""
        return round(self._jitter.wait_s * 1000, 1)

    def hear(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """An RTP packet has arrived."""
        self.heard_at = self._clock.now()
        self._jitter.put(sequence, timestamp, payload, self.heard_at)
        self._news.set()

    async def frames(self) -> AsyncIterator[Pcm]:
        waiting = np.zeros(0, np.int16)
        while True:
            for piece in self._jitter.take(self._clock.now()):
                waiting = np.concatenate([waiting, self._sound(piece)])
            while len(waiting) >= FRAME_SAMPLES:
                yield waiting[:FRAME_SAMPLES]
                waiting = waiting[FRAME_SAMPLES:]
            await self._wait()

    async def _wait(self) -> None:
        """Until a packet comes, or something is due without one."""
        due = self._jitter.due()
        timeout = None if due is None else max(0.001, due - self._clock.now())
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _sound(self, piece: Piece) -> Pcm:
        """Of a payload that is no Opus at all, a concealed frame."""
        try:
            if isinstance(piece, Packet):
                self._stalls = 0
                return self._decoder.decode(piece.payload)
            if isinstance(piece, Lost) and piece.following is not None:
                self.concealed_ms += FRAME_MS
                return self._decoder.recover(piece.following)
        except ValueError:
            self.counts.dropped += 1
        self._stalls += 1
        if self._stalls > FADES:
            return np.zeros(FRAME_SAMPLES, np.int16)
        self.concealed_ms += FRAME_MS
        return self._decoder.conceal()
