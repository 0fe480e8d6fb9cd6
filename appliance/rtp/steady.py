"""Live sound at an even pace: put in as it comes, taken out 20 ms at a time by another line's clock. Pure.

What a person hears must be even, what is recognised need not be; so this stands only where somebody hears the caller.
It holds as much as the line's unevenness of the last seconds asks for and no more, its *depth*: so much must have come
before it begins to play after a silence. When it runs empty in the middle of speech, what is missing is made up and
what comes then plays later by so much: it grows. When it holds more than it needed for a while, one period of the
voice is taken out and the cut faded over, which nobody hears: it shrinks, and so follows two clocks that drift apart.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from appliance.dsp.conceal import FADED_S, Concealer
from appliance.terms.units import FRAME_MS, Pcm

LEAST_S, MOST_S = 0.02, 0.2
"""Of the depth."""
SPARE_S = 0.005
"""What is left over after each frame at the least, once the line has been known for a while; on an uneven line a
quarter of its unevenness: in so short a while the worst has not been seen."""
WATCHED_S = 1.0
"""What was left over is looked at for so long."""
SHORTEST_S, LONGEST_S = 0.0025, 0.0125
"""Of the voice's periods that are taken out."""
BLEND_S = 0.005
BOUND_S = 0.5
"""It never holds more: the oldest gives way."""
CALM_DB = -50.0


class Steady:
    """`put` live sound of any length at `rate` Hz; `take` frames of it."""

    def __init__(self, rate: int) -> None:
        self.made_up_ms = 0.0
        self.taken_out_ms = 0.0
        self.dropped_ms = 0.0
        self.rate = rate
        self._pcm = np.zeros(0, np.int16)
        self._concealer = Concealer(rate)
        self._depth = int(LEAST_S * rate)
        self._left: deque[int] = deque(maxlen=round(WATCHED_S * 1000 / FRAME_MS))
        """Samples that were left over after each of the last frames."""
        self._playing = False
        self._missing = 0
        """Samples made up since it ran empty."""
        self._waited = 0
        """Samples of silence given since something was there."""
        self._drained = 0
        """Frames given since something was put in."""

    @property
    def queued_ms(self) -> float:
        return len(self._pcm) * 1000.0 / self.rate

    @property
    def depth_ms(self) -> float:
        return self._depth * 1000.0 / self.rate

    def put(self, pcm: Pcm) -> None:
        """(n,) int16."""
        self._drained = 0
        self._pcm = np.concatenate([self._pcm, pcm])
        excess = len(self._pcm) - int(BOUND_S * self.rate)
        if excess > 0:
            self.dropped_ms += excess * 1000 / self.rate
            self._pcm = self._pcm[excess:]

    def take(self, samples: int) -> Pcm:
        """Exactly so many; silence where nothing has come for long, or not yet enough."""
        if not self._playing:
            if len(self._pcm) + self._waited < self._depth or not len(self._pcm):
                self._waited += samples if len(self._pcm) else 0
                return np.zeros(samples, np.int16)
            self._playing, self._waited = True, 0
        if len(self._pcm) < samples:
            return self._make_up(samples)
        if self._missing:  # it was the line, not a silence
            self._depth = min(self._depth + self._missing, int(MOST_S * self.rate))
            self.made_up_ms += self._missing * 1000 / self.rate
            self._missing = 0
            self._left.clear()
        self._left.append(len(self._pcm) - samples)
        self._drained += 1
        least, most = min(self._left), max(self._left)
        spare = least - max(int(SPARE_S * self.rate), (most - least) // 4)
        if len(self._left) == self._left.maxlen and spare > int(SHORTEST_S * self.rate):
            self._shorten(spare)
        out, self._pcm = self._pcm[:samples], self._pcm[samples:]
        return self._concealer.heard(out)

    def _make_up(self, samples: int) -> Pcm:
        """What is left, and made-up sound after it."""
        rest, self._pcm = self._concealer.heard(self._pcm), self._pcm[:0]
        self._missing += samples - len(rest)
        if self._missing > FADED_S * self.rate:  # a silence, or a line that is gone: neither tells how uneven it is
            self._missing = 0
            self._playing = False
            for _ in range(min(self._drained, len(self._left))):
                self._left.pop()
        return np.concatenate([rest, self._concealer.lost(samples - len(rest))])

    def _shorten(self, spare: int) -> None:
        """Take one period out of the next frame, where two of them are alike."""
        blend = int(BLEND_S * self.rate)
        shortest = int(SHORTEST_S * self.rate)
        longest = min(int(LONGEST_S * self.rate), spare, len(self._pcm) - blend)
        if longest < shortest:
            return
        head = self._pcm[: longest + blend].astype(np.float64)
        begin = head[:blend]
        windows = np.lib.stride_tricks.sliding_window_view(head, blend)[shortest : longest + 1]
        unlike = np.square(windows - begin).sum(axis=1)
        period = shortest + int(np.argmin(unlike))
        power = float(np.square(begin).mean()) + 1.0
        calm = power < (32768 * 10 ** (CALM_DB / 20)) ** 2
        if not calm and float(unlike.min()) / blend > 0.5 * power:
            return  # neither a voice nor silence: the next frame may be easier
        fade = np.linspace(1.0, 0.0, blend, endpoint=False)
        later = head[period : period + blend]
        joined = (begin * fade + later * (1.0 - fade)).astype(np.int16)
        self._pcm = np.concatenate([joined, self._pcm[period + blend :]])
        self._left = deque((left - period for left in self._left), maxlen=self._left.maxlen)
        self._depth = max(self._depth - period, int(LEAST_S * self.rate))
        self.taken_out_ms += period * 1000 / self.rate
