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
KEPT_S = 3.0
"""So far back a held speech can go, to the beginning of its word."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    end: int
    """Where it has been said, in samples of the speech at the line's rate."""


class Playout:
    """One call's loudspeaker. Speeches follow each other: `begin`, `play` …, `drain`; `stop` silences it.

    `hold` silences it for a while: `go_on` says the word again in which it fell silent, and all that follows.
    """

    def __init__(self, line: Line, clock: Clock) -> None:
        self.ducked = False
        self._line = line
        self._clock = clock
        self._frame = line.rate_out * FRAME_MS // 1000
        self._resampler: Resampler | None = None
        self._ratio = 1.0
        self._on_voice: Callable[[float], None] | None = None
        self._active = False
        self._begun = False
        self._held = False
        self._words: list[_Word] = []
        self._pcm = np.zeros(0, np.int16)
        """The speech from sample `_first` on: what is still to be handed to the line, and a little before it."""
        self._first = 0
        self._next = 0
        """The first sample that the line was not given yet."""
        self._base = 0
        """What the line had played when sample 0 of this speech was handed over."""

    @property
    def audible(self) -> bool:
        """Is speech being heard, or about to be? One that is held counts."""
        return self._active and self._begun

    @property
    def held(self) -> bool:
        return self._held

    def begin(self, rate: int, on_voice: Callable[[float], None] | None = None) -> None:
        """A new speech at `rate` Hz. `on_voice` is told when its first voiced frame goes to the door."""
        self._resampler = Resampler(rate, self._line.rate_out)
        self._ratio = self._line.rate_out / rate
        self._on_voice = on_voice
        self._active = True
        self._begun = self._held = False
        self._words = []
        self._pcm = np.zeros(0, np.int16)
        self._first = self._next = 0
        self._base = self._line.played_samples + self._queued()

    async def play(self, sound: Sound) -> None:
        """Queue a piece of speech, waiting for the door's pace."""
        assert self._resampler is not None, "begin comes before play"
        pcm = self._resampler.feed(sound.pcm)
        start = self._first + len(self._pcm)
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
        while self._held or (self._line.queued_ms > 0 and self._clock.now() < stuck_at):
            await asyncio.sleep(POLL_S)
            if self._next < self._first + len(self._pcm):  # it was held, and went back
                await self._hand_over(self._pcm[:0], last=True)
                stuck_at = self._clock.now() + self._line.queued_ms / 1000 + DOOR_STUCK_S
        self._active = False

    def stop(self) -> str:
        """Silence at once, for good. Returns the words that were heard."""
        if not self._held:
            self._fall_silent()
        self._active = self._held = False
        return self.heard()

    def hold(self) -> None:
        """Silence at once, until `go_on` or `stop`."""
        if self._active and not self._held:
            self._fall_silent()
            self._held = True

    def go_on(self) -> None:
        """Say the word again in which the speech was held, and what follows."""
        if self._held:
            self._held = False
            self._base = self._line.played_samples + self._queued() - self._next

    def heard(self) -> str:
        """The words of this speech that the caller has heard to their ends, give or take 10 ms."""
        heard = self._next if self._held or not self._active else self._played()
        return " ".join(word.text for word in self._words if word.end <= heard + self._frame // 2)

    async def _hand_over(self, pcm: Pcm, *, last: bool = False) -> None:
        """Give the line all but an incomplete frame; the `last` one is given as it is."""
        self._pcm = np.concatenate([self._pcm, pcm])
        while self._waiting >= self._frame or (last and self._waiting):
            while self._held or self._line.held or self._line.queued_ms >= self._line.lead_ms:  # noqa: ASYNC110 - the door tells nobody
                await asyncio.sleep(POLL_S)
            at = self._next - self._first
            frame = self._pcm[at : at + self._frame]
            if self._on_voice is not None and is_voiced(frame):
                self._on_voice(self._clock.now())
                self._on_voice = None
            self._line.play((frame * DUCKED).astype(np.int16) if self.ducked else frame)
            self._next += len(frame)
        old = max(0, self._next - self._first - int(KEPT_S * self._line.rate_out))
        self._pcm, self._first = self._pcm[old:], self._first + old

    def _fall_silent(self) -> None:
        """Take back what the line has not played, and stand where it should go on: at the beginning of a word."""
        played = self._played()
        self._line.flush()
        begun = max((word.end for word in self._words if word.end <= played + self._frame // 2), default=0)
        self._next = min(max(begun, self._first), self._next)

    def _played(self) -> int:
        """How much of this speech the caller has heard."""
        return min(self._next, self._line.played_samples - self._base)

    @property
    def _waiting(self) -> int:
        return self._first + len(self._pcm) - self._next

    def _without_lead_in(self, pcm: Pcm) -> Pcm:
        """A synthesiser begins with 40 to 80 ms of silence, for which nobody should wait."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > LEAD_IN_PEAK)
        if not len(loud):
            return pcm[:0]
        self._begun = True
        return pcm[max(0, loud[0] - self._frame // 4) :]

    def _queued(self) -> int:
        return int(self._line.queued_ms * self._line.rate_out / 1000)
