"""A caller made of a sound file: what `frontdesk ask` talks through, at the pace of a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from appliance.terms.clock import Clock
from appliance.terms.events import Event, Network
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_MS, FRAME_SAMPLES, Pcm

from .queue import SpeechQueue

LEAD_IN_MS = 300


class FileLine:
    """Says (n,) int16 16 kHz mono in real time, then is silent until `hang_up`; keeps what it is told."""

    call = "file"
    door = "file"
    lead_ms = 60.0
    caller = ""
    opening = ""
    desk = ""
    held = False

    def __init__(self, pcm: Pcm, rate_out: int, clock: Clock, *, lead_in_ms: int = LEAD_IN_MS) -> None:
        self.rate_out = rate_out
        self.said = asyncio.Event()
        """Set once the whole file has been said."""
        self._pcm = np.concatenate([np.zeros(lead_in_ms * FRAME_SAMPLES // FRAME_MS, np.int16), pcm])
        self._clock = clock
        self._queue = SpeechQueue(rate_out)
        self._heard: list[Pcm] = []
        self.ended = ""
        self.network: Network | None = None

    async def frames(self) -> AsyncIterator[Frame]:
        start, count = self._clock.now(), 0
        while not self.ended:
            count += 1
            await asyncio.sleep(max(0.0, start + count * FRAME_MS / 1000 - self._clock.now()))
            self._heard.append(self._queue.take(self.rate_out * FRAME_MS // 1000))
            frame, self._pcm = self._pcm[:FRAME_SAMPLES], self._pcm[FRAME_SAMPLES:]
            if not len(self._pcm):
                self.said.set()
            yield Frame(pcm=np.pad(frame, (0, FRAME_SAMPLES - len(frame))), at=self._clock.now())

    def play(self, pcm: Pcm) -> None:
        self._queue.put(pcm)

    def flush(self) -> None:
        self._queue.clear()

    @property
    def queued_ms(self) -> float:
        return self._queue.queued_ms

    @property
    def played_samples(self) -> int:
        return self._queue.played_samples

    def tell(self, event: Event) -> None:
        """A file has no screen."""

    def hang_up(self, reason: str) -> None:
        self.ended = self.ended or reason

    def heard(self) -> Pcm:
        """All it was told since the call began, (n,) int16 at `rate_out`."""
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)

    def reply(self) -> Pcm:
        """The same without the silence before and after."""
        pcm = self.heard()
        loud = np.flatnonzero(pcm)
        return pcm[loud[0] : loud[-1] + 1] if len(loud) else pcm[:0]
