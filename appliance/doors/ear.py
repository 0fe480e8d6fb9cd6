"""The caller's packets as frames of 20 ms, as soon as they may be heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from appliance.rtp.codecs import CLOCK_RATES, OPUS, decoder
from appliance.rtp.jitter import Counts, JitterBuffer, Lost, Packet, Piece, Silence
from appliance.rtp.opus import SILENT_BYTES
from appliance.terms.clock import Clock
from appliance.terms.units import CAPTURE_RATE, FRAME_MS, FRAME_SAMPLES, Pcm

FADES = 3
"""A line that stalls is concealed for so many frames; then it is silent."""


class Ear:
    """`hear` each packet; `frames` gives (320,) int16, 16 kHz mono, for as long as it is iterated."""

    def __init__(self, clock: Clock, codec: str = OPUS) -> None:
        """`codec`: as SDP names it. Raises KeyError for one that is not spoken here."""
        self.heard_at = clock.now()
        """When the last packet came."""
        self.concealed_ms = 0.0
        self.recovered = 0
        """Lost packets whose successor came: Opus repeats them there."""
        self.heard_bytes = 0
        self._clock = clock
        self._opus = codec == OPUS
        self._jitter = JitterBuffer(CLOCK_RATES[codec])
        self._decoder = decoder(codec, CAPTURE_RATE)
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
        self.heard_bytes += len(payload)
        silent = self._opus and len(payload) <= SILENT_BYTES
        self._jitter.put(sequence, timestamp, payload, self.heard_at, silent=silent)
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
        """Of a payload that its codec cannot read, a concealed frame; of a silent sender, nothing at all: a recogniser
        needs no comfort noise, and the voice detectors sleep."""
        try:
            if isinstance(piece, Packet):
                self._stalls = 0
                return self._decoder.decode(piece.payload)
            if isinstance(piece, Lost) and piece.following is not None:
                self.recovered += 1
                self.concealed_ms += FRAME_MS
                return self._decoder.recover(piece.following)
        except ValueError:
            self.counts.dropped += 1
        self._stalls += 1
        if isinstance(piece, Silence) or self._stalls > FADES:
            return np.zeros(FRAME_SAMPLES, np.int16)
        self.concealed_ms += FRAME_MS
        return self._decoder.conceal()
