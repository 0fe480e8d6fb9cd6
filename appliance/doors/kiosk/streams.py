"""One microphone and one loudspeaker as PortAudio's callbacks know them: 10 ms at a time, in threads of its own.

A callback copies, counts and calls; what it calls may only note and wake the event loop. Nothing here waits.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from appliance.terms.units import Pcm

from .devices import BLOCKS_PER_S, Kind, SoundDevice, open_stream
from .ring import Ring

LATENCY_S = 0.02
"""What is asked of PortAudio: on PulseAudio 13 ms in and 25 ms out, without a gap in ten minutes."""
BLOCK_S = 1 / BLOCKS_PER_S
GAP_BLOCKS = 20


class Stream(ABC):
    """What both sides have: `alive` until its device is gone or `close`d; xruns counted."""

    kind: Kind

    def __init__(self, sound: Any, device: SoundDevice) -> None:
        """Raises DeviceError."""
        self.name = device.name
        self.xruns = 0
        self.blocks = 0
        self.called_at = time.monotonic()
        self._gone = False
        self._stream = open_stream(
            sound,
            self.kind,
            device,
            latency=LATENCY_S,
            callback=self._called,
            finished_callback=self._ended,
        )
        self.rate = int(self._stream.samplerate)
        self.latency_ms = round(float(self._stream.latency) * 1000, 1)

    @property
    def alive(self) -> bool:
        return not self._gone

    def start(self) -> None:
        """From now on it calls. Raises PortAudio's error."""
        self.called_at = time.monotonic()
        self._stream.start()

    def close(self) -> None:
        """May take as long as its buffer."""
        self._gone = True
        self._stream.close(ignore_errors=True)

    def _ended(self) -> None:
        self._gone = True

    def _called(self, data: Any, frames: int, when: Any, status: Any) -> None:
        self.called_at = time.monotonic()
        self.blocks += 1
        self.xruns += bool(status) and self.blocks > BLOCKS_PER_S  # at first there is nothing in the buffers yet
        self._block(data)

    @abstractmethod
    def _block(self, data: Any) -> None:
        """One block, (n, channels) int16."""


class Microphone(Stream):
    """Its first channel: of a device with many the others are often beams, or what the loudspeaker plays."""

    kind = "microphone"

    def __init__(self, sound: Any, device: SoundDevice, hear: Callable[[Pcm], None]) -> None:
        """`hear` is told each block, on PortAudio's thread. Raises DeviceError."""
        self._hear = hear
        super().__init__(sound, device)

    def _block(self, data: Any) -> None:
        self._hear(data[:, 0].copy())


class Loudspeaker(Stream):
    """Plays what is in `ring`, at `rate`, the same on every channel."""

    kind = "loudspeaker"

    def __init__(self, sound: Any, device: SoundDevice, played: Callable[[Pcm], None], *, ring_s: float) -> None:
        """`played` is told each block, on PortAudio's thread. Raises DeviceError."""
        self._played = played
        self.gaps = 0
        """How often the ring ran dry in the middle of something, and there was more soon."""
        self._dry_at = -GAP_BLOCKS
        super().__init__(sound, device)
        self.ring = Ring(round(self.rate * ring_s))

    def _block(self, data: Any) -> None:
        block = np.empty(len(data), np.int16)
        count = self.ring.take(block)
        data[:] = block[:, None]
        self._played(block)
        if count and self.blocks - self._dry_at < GAP_BLOCKS:
            self.gaps += 1
        if 0 < count < len(block):
            self._dry_at = self.blocks
        elif count:
            self._dry_at = -GAP_BLOCKS
