"""The caller's packets as frames of 20 ms, as soon as they may be heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from appliance.rtp.codecs import OPUS, decoder
from appliance.rtp.jitter import Counts, JitterBuffer, Lost, Packet, Piece, Silence, Stall
from appliance.rtp.opus import SILENT_BYTES
from appliance.terms.clock import Clock
from appliance.terms.frame import Frame
from appliance.terms.units import CAPTURE_RATE, FRAME_MS, FRAME_SAMPLES, Pcm

FADES = 3
"""A line that stalls is concealed for so many frames; then it is silent."""


class Ear:
    """`hear` each packet; `on_frame` is told the frames until `close`."""

    def __init__(self, clock: Clock, on_frame: Callable[[Frame], None], codec: str = OPUS) -> None:
        """`codec`: as SDP names it. Raises KeyError for one that is not spoken here."""
        self.heard_at = clock.now()
        """When the last packet came."""
        self.heard_bytes = 0
        self.concealed_ms = 0.0
        self.recovered = 0
        """Lost packets whose successor came: Opus repeats them there."""
        self._clock = clock
        self._on_frame = on_frame
        self._opus = codec == OPUS
        self._jitter = JitterBuffer()
        self._decoder = decoder(codec, CAPTURE_RATE)
        self._waiting = np.zeros(0, np.int16)
        self._stalls = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        """When something is due without a packet."""

    @property
    def counts(self) -> Counts:
        return self._jitter.counts

    @property
    def wait_ms(self) -> float:
        """How long it waits for what is missing."""
        return round(self._jitter.wait_s * 1000, 1)

    def hear(self, sequence: int, payload: bytes) -> None:
        """An RTP packet has arrived."""
        self.heard_at = self._clock.now()
        self.heard_bytes += len(payload)
        self._jitter.put(sequence, payload, self.heard_at, silent=self._opus and len(payload) <= SILENT_BYTES)
        self._take()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _take(self) -> None:
        """Tell all that is due, and come back when more will be."""
        self.close()
        now = self._clock.now()
        for piece in self._jitter.take(now):
            sound = self._sound(piece)
            self._waiting = np.concatenate([self._waiting, sound]) if len(self._waiting) else sound
            while len(self._waiting) >= FRAME_SAMPLES:
                frame, self._waiting = self._waiting[:FRAME_SAMPLES], self._waiting[FRAME_SAMPLES:]
                self._on_frame(Frame(pcm=frame, at=now, made_up=isinstance(piece, Stall | Silence)))
        due = self._jitter.due()
        if due is not None:
            self._timer = self._loop.call_later(max(0.001, due - self._clock.now()), self._take)

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
