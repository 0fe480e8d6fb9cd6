"""A microphone beside a loudspeaker: WebRTC's AEC3 takes the loudspeaker out of it, and then the noise. Pure.

AEC3 wants ten milliseconds of both sides at a time, and finds the delay between them itself, as long as what was played
comes before its echo. The two sides come from two clocks and in lumps: what was played waits in a queue that grows when
it ran dry and gives up its oldest when it is too long; AEC3 follows each such step within a second.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from pywebrtc_audio import AudioProcessor

from appliance.terms.units import CAPTURE_RATE, Pcm

BLOCK_MS = 10
BLOCK = CAPTURE_RATE * BLOCK_MS // 1000
MOST_WAITING = 8
"""Blocks of what was played. More is no unevenness any more, but a loudspeaker whose clock runs ahead."""


class EchoCanceller:
    """`played` and `heard` in any lengths, 16 kHz; no gain is changed (that would cost 30 dB of it)."""

    def __init__(self, noise: int) -> None:
        """`noise`: 0 leaves it, 1 to 4 hold it down by 6, 12, 18 or 21 dB."""
        self.steps = 0
        """How often the two sides had to be put together anew."""
        self._processor = AudioProcessor(
            sample_rate=CAPTURE_RATE,
            echo_cancellation=True,
            noise_suppression=noise > 0,
            ns_level=max(0, noise - 1),
        )
        self._played = _Blocks()
        self._waiting: deque[Pcm] = deque()
        self._heard = _Blocks()

    def played(self, pcm: Pcm) -> None:
        """(n,) int16 that the loudspeaker was given."""
        self._waiting.extend(self._played.feed(pcm))
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.steps += 1

    def heard(self, pcm: Pcm) -> tuple[Pcm, Pcm]:
        """(n,) int16 of the microphone; what of it is ready, as it was and cleaned, each (10 ms × n,) int16."""
        blocks = self._heard.feed(pcm)
        cleaned = [self._processor.process(block, self._next()) for block in blocks]
        none = np.zeros(0, np.int16)
        return np.concatenate([none, *blocks]), np.concatenate([none, *cleaned])

    def _next(self) -> Pcm:
        if self._waiting:
            return self._waiting.popleft()
        self.steps += 1
        return np.zeros(BLOCK, np.int16)


class _Blocks:
    """Pieces of any length in, whole blocks out."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)

    def feed(self, pcm: Pcm) -> list[Pcm]:
        whole = np.concatenate([self._rest, pcm])
        count = len(whole) // BLOCK
        self._rest = whole[count * BLOCK :]
        return list(whole[: count * BLOCK].reshape(count, BLOCK))
