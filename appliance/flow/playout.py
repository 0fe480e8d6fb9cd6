"""Speech to the line at the door's pace, so that it can be silenced at once and we know what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from appliance.dsp.resample import Resampler
from appliance.engines.contracts import Sound
from appliance.terms.clock import Clock
from appliance.terms.line import Line
from appliance.terms.units import FRAME_MS, Pcm, is_voiced

DUCKED = 0.25
"""−12 dB: the agent lowers its voice while somebody may be interrupting."""
POLL_S = FRAME_MS / 2000
DOOR_STUCK_S = 5.0
LEAD_IN_PEAK = 100
"""−50 dBFS: softer than that, a speech has not begun."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    end: int
    """Where it has been said, among all samples that the line was given to play."""


class Playout:
    """One call's loudspeaker. Speeches follow each other: `begin`, `play` …, `drain`; `stop` silences it."""

    def __init__(self, line: Line, clock: Clock) -> None:
        self.ducked = False
        self._line = line
        self._clock = clock
        self._frame = line.rate_out * FRAME_MS // 1000
        self._handed = 0
        self._words: list[_Word] = []
        self._resampler: Resampler | None = None
        self._rest = np.zeros(0, np.int16)
        self._on_voice: Callable[[float], None] | None = None
        self._active = False
        self._begun = False
        self._ratio = 1.0

    @property
    def audible(self) -> bool:
        """Is speech being heard, or about to be?"""
        return self._active and self._begun

    def begin(self, rate: int, on_voice: Callable[[float], None] | None = None) -> None:
        """A new speech at `rate` Hz. `on_voice` is told when its first voiced frame goes to the door."""
        self._words = []
        self._resampler = Resampler(rate, self._line.rate_out)
        self._ratio = self._line.rate_out / rate
        self._rest = np.zeros(0, np.int16)
        self._on_voice = on_voice
        self._active = True
        self._begun = False
        self._handed = self._line.played_samples + self._queued()

    async def play(self, sound: Sound) -> None:
        """Queue a piece of speech, waiting for the door's pace."""
        assert self._resampler is not None, "begin comes before play"
        pcm = self._resampler.feed(sound.pcm)
        start = self._handed + len(self._rest)
        if not self._begun:
            whole, pcm = len(pcm), self._without_lead_in(pcm)
            start -= whole - len(pcm)
        self._words += [_Word(text, start + round(end * self._ratio)) for text, end in sound.words]
        await self._hand_over(pcm)

    async def drain(self) -> None:
        """Wait until everything that was played has been heard."""
        if self._resampler is not None:
            await self._hand_over(self._resampler.finish(), last=True)
        stuck_at = self._clock.now() + self._line.queued_ms / 1000 + DOOR_STUCK_S
        while self._line.queued_ms > 0 and self._clock.now() < stuck_at:  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(POLL_S)
        self._active = False

    def stop(self) -> str:
        """Silence at once. Returns the words that were heard."""
        heard = self.heard()
        self._line.flush()
        self._active = False
        self._rest = np.zeros(0, np.int16)
        return heard

    def heard(self) -> str:
        """The words of this speech that the caller has heard to their ends."""
        played = self._line.played_samples + self._frame // 2
        return " ".join(word.text for word in self._words if word.end <= played)

    async def _hand_over(self, pcm: Pcm, *, last: bool = False) -> None:
        self._rest = np.concatenate([self._rest, pcm])
        while len(self._rest) >= self._frame or (last and len(self._rest)):
            while self._line.queued_ms >= self._line.lead_ms:  # noqa: ASYNC110 - the door tells nobody
                await asyncio.sleep(POLL_S)
            frame, self._rest = self._rest[: self._frame], self._rest[self._frame :]
            if self._on_voice is not None and is_voiced(frame):
                self._on_voice(self._clock.now())
                self._on_voice = None
            self._line.play((frame * DUCKED).astype(np.int16) if self.ducked else frame)
            self._handed += len(frame)

    def _without_lead_in(self, pcm: Pcm) -> Pcm:
        """A synthesiser begins with 40 to 80 ms of silence, for which nobody should wait."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > LEAD_IN_PEAK)
        if not len(loud):
            return pcm[:0]
        self._begun = True
        return pcm[max(0, loud[0] - self._frame // 4) :]

    def _queued(self) -> int:
        return int(self._line.queued_ms * self._line.rate_out / 1000)
