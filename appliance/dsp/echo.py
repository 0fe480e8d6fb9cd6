"""A microphone beside a loudspeaker: our own voice is taken out of it, and then the noise. Pure.

Two cancellers listen. WebRTC's AEC3 silences every trace of an echo, distorted or not; but of a visitor who speaks over
it, it leaves a fifth (two thirds of their words are misheard). `LinearEcho` leaves the visitor whole, and a rest of the
echo. So AEC3 has the word until what `LinearEcho` leaves is clearly more than such a rest: then somebody speaks.

Both want ten milliseconds of both sides at a time, what was played before its echo; how long before, they find out. The
two sides come from two clocks and in lumps: what was played waits in a queue that grows when it ran dry and gives up
its oldest when that need not wait; they follow each such step within a second. (An echo that comes before what was
played is none to them: a microphone that was pulled out and came back made the device talk to itself.)
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from pywebrtc_audio import AudioProcessor, NoiseSuppressor

from appliance.terms.units import CAPTURE_RATE, Pcm

from .linear_echo import BLOCK, LinearEcho, Samples, power

MOST_WAITING = 12
"""Blocks of what was played. More is no unevenness any more, but a loudspeaker whose clock runs ahead."""
WINDOW, SPARE = 50, 2
"""Every half second: how many of them were never needed? More than these are dropped."""
FULL = 32768.0
TINY = 1e-9
SPEECH = slice(3, 70)
"""150 Hz to 3.5 kHz, in bins of 50 Hz."""
PLAYED_POWER = 1e-7
"""An estimated echo below −70 dBFS is none."""
RECENT, SOON = 0.4, 0.1
RISES, FALLS = 1.01, 1.01 ** (-0.7 / 0.3)
"""How the rest's share of the echo is followed, bin by bin: so that it stays above the true one 30 % of the time."""
MARGIN = 6.0
"""The rest may be so many times what it usually is (8 dB) and still be one."""
NOISE_FALLS, NOISE_RISES = 0.9, 1.002
NOISE_MARGIN = 3.0
NEAR = 0.7
"""So much of what is left must be more than a rest."""
ABOVE_DB = -12.0
"""And so loud, against the loudest echo lately, which fades by 13 dB a second."""
FADES = 0.97
WORKS = 0.15
"""LinearEcho's word counts where it leaves less of the echo, by power."""
HELPS = 0.8
"""A visitor who is heard is what came in, less the echo: by so much at least, or AEC3 would do as well."""
HARMS, HARMED_BLOCKS = 1.2, 30
"""Where more is left than came in, for 0.3 s of our speech, a wrong echo is taken out: the room, or the delay, is
another one now. (To the rest alone that would look like a visitor.)"""
BLOCKS_TO_BEGIN, BLOCKS_TO_END = 4, 30
AEC3_DELAY = 96
"""Samples that AEC3 holds back."""


class EchoCanceller:
    """`played` and `heard` in any lengths, 16 kHz; no gain is changed (that would cost 30 dB of it)."""

    def __init__(self, noise: int) -> None:
        """`noise`: 0 leaves it, 1 to 4 hold it down by 6, 12, 18 or 21 dB."""
        self.steps = 0
        """How often the two sides had to be put together anew."""
        self._silencing = AudioProcessor(
            sample_rate=CAPTURE_RATE,
            echo_cancellation=True,
            noise_suppression=noise > 0,
            ns_level=max(0, noise - 1),
        )
        self._quietening = NoiseSuppressor(sample_rate=CAPTURE_RATE, level=noise - 1) if noise else None
        self._linear = LinearEcho()
        self._visitor = _Visitor()
        self._share = 0.0
        """Of the linear canceller's sound in what goes out."""
        self._late = np.zeros(AEC3_DELAY, np.int16)
        self._played = _Blocks()
        self._waiting: deque[Pcm] = deque()
        self._heard = _Blocks()
        self._looked, self._lowest = 0, MOST_WAITING

    def played(self, pcm: Pcm) -> None:
        """(n,) int16 that the loudspeaker was given."""
        self._waiting.extend(self._played.feed(pcm))
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._step()

    def heard(self, pcm: Pcm) -> tuple[Pcm, Pcm]:
        """(n,) int16 of the microphone; what of it is ready, as it was and cleaned, each (10 ms × n,) int16."""
        blocks = self._heard.feed(pcm)
        cleaned = [self._clean(self._next(), block) for block in blocks]
        none = np.zeros(0, np.int16)
        return np.concatenate([none, *blocks]), np.concatenate([none, *cleaned])

    def _clean(self, played: Pcm, heard: Pcm) -> Pcm:
        silenced = self._silencing.process(heard, played)
        left, echo = self._linear.feed(played.astype(np.float32) / FULL, heard.astype(np.float32) / FULL)
        speaks = self._visitor.speaks(left, echo)
        if self._visitor.mistaken:
            self._linear.forget()
            self._visitor = _Visitor()
        plain = np.clip(left * FULL, -FULL, FULL - 1).astype(np.int16)
        if self._quietening is not None:
            plain = self._quietening.process(plain)
        both = np.concatenate([self._late, plain])
        plain, self._late = both[:BLOCK], both[BLOCK:]
        before, self._share = self._share, float(speaks)
        if before == self._share:
            return plain if speaks else silenced
        share = np.linspace(before, self._share, BLOCK)
        return np.asarray(share * plain + (1 - share) * silenced, np.int16)

    def _next(self) -> Pcm:
        """Of what was played the block that goes with the next one of what was heard."""
        self._lowest = min(self._lowest, len(self._waiting) - 1)
        self._looked += 1
        if self._looked == WINDOW:
            self._catch_up()
        if self._waiting:
            return self._waiting.popleft()
        self._step()
        return np.zeros(BLOCK, np.int16)

    def _catch_up(self) -> None:
        """Where blocks have waited all the while, the microphone has lost some: what was played would come too late."""
        for _ in range(self._lowest - SPARE):
            self._waiting.popleft()
        if self._lowest > SPARE:
            self._step()
        self._looked, self._lowest = 0, MOST_WAITING

    def _step(self) -> None:
        """What was played is a block later now, or earlier, against its echo."""
        self.steps += 1
        if self._share or self._visitor.judges:
            self._linear.forget()
            self._visitor = _Visitor()


class _Visitor:
    """Does somebody speak over us? By what the linear canceller has left, and the echo that it took out."""

    def __init__(self) -> None:
        bins = BLOCK + 1
        self.mistaken = False
        """What the canceller takes out is not our echo."""
        self._left, self._echo = np.full(bins, 1e-6), np.full(bins, TINY)
        self._noise: npt.NDArray[np.float32] | None = None
        self._share = np.ones(bins)
        """Of the echo that is left, by bin."""
        self._loudest = 0.0
        self._in = self._out = TINY
        """The power that came in, and that is left, lately."""
        self._hits = self._holds = self._harmed = 0

    @property
    def judges(self) -> bool:
        """Has there been an echo to judge by?"""
        return self._noise is not None

    def speaks(self, left: Samples, echo: Samples) -> bool:
        """(160,) float32, full scale 1."""
        self._holds = max(0, self._holds - 1)
        if float(echo @ echo) / BLOCK < PLAYED_POWER:
            return self._holds > 0
        self._follow(power(np.fft.rfft(left, 2 * BLOCK)), power(np.fft.rfft(echo, 2 * BLOCK)))
        self._compare(left, left + echo)
        assert self._noise is not None
        rest = MARGIN * self._share * self._echo + NOISE_MARGIN * self._noise
        more = float(np.maximum(self._left - rest, 0)[SPEECH].sum())
        self._loudest = max(self._loudest * FADES, float(self._echo[SPEECH].sum()))
        loud = more > 10 ** (ABOVE_DB / 10) * self._loudest
        hit = loud and more > NEAR * float(self._left[SPEECH].sum())
        self._hits = self._hits + 1 if hit else max(0, self._hits - 1)
        if self._hits >= BLOCKS_TO_BEGIN and self._works():
            self._holds = BLOCKS_TO_END
        if self._out > self._in:
            self._holds = 0
        return self._holds > 0

    def _follow(self, left: npt.NDArray[np.float32], echo: npt.NDArray[np.float32]) -> None:
        self._left += RECENT * (left - self._left)
        self._echo += RECENT * (echo - self._echo)
        noise = left.copy() if self._noise is None else self._noise
        falls = noise * NOISE_FALLS + left * (1 - NOISE_FALLS)
        self._noise = np.where(left < noise, falls, noise * NOISE_RISES).astype(np.float32)
        share = np.maximum(self._left - 2 * self._noise, 0) / (self._echo + TINY)
        self._share = np.clip(self._share * np.where(share > self._share, RISES, FALLS), 1e-5, 1.0)

    def _compare(self, left: Samples, heard: Samples) -> None:
        """Is less left than came in?"""
        self._in += SOON * (float(heard @ heard) - self._in)
        self._out += SOON * (float(left @ left) - self._out)
        self._harmed = self._harmed + 1 if self._out > HARMS * self._in else 0
        self.mistaken = self._harmed > HARMED_BLOCKS

    def _works(self) -> bool:
        """Is the linear canceller to be believed?"""
        rest = float((self._share * self._echo)[SPEECH].sum() / self._echo[SPEECH].sum())
        return rest < WORKS and self._out < HELPS * self._in


class _Blocks:
    """Pieces of any length in, whole blocks out."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)

    def feed(self, pcm: Pcm) -> list[Pcm]:
        whole = np.concatenate([self._rest, pcm])
        count = len(whole) // BLOCK
        self._rest = whole[count * BLOCK :]
        return list(whole[: count * BLOCK].reshape(count, BLOCK))
