"""The sound of one call in the SIP worker: baresip's ring buffers on one side, the main process on the other."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from baresip import AudioInfo, AudioNotActive, AudioRestarted, AudioStats

from appliance.dsp.resample import Resampler
from appliance.terms.units import CAPTURE_RATE, Pcm

RATE_OUT = 24_000
"""What the main process hands over, whatever the call's codec."""
SAMPLE_BYTES = 2
MOST_READ_S = 1.0


class Audio(Protocol):
    """What of baresip's `CallAudio` is used."""

    def info(self) -> AudioInfo: ...
    def stats(self) -> AudioStats: ...
    def read(self, max_bytes: int) -> bytes: ...
    def write(self, pcm: bytes) -> int: ...
    def flush_tx(self) -> None: ...


class Leg:
    """One call's sound. All of it may be asked for at any time: where no sound flows, nothing comes and nothing goes.

    A renegotiation replaces the streams, perhaps at other rates: what was queued is lost then. That counts as heard, or
    the main process would wait for it.
    """

    def __init__(self, audio: Audio) -> None:
        self.played = 0
        """Samples at `RATE_OUT` that left for the caller since the call began."""
        self._audio = audio
        self._info: AudioInfo | None = None
        self._heard = Resampler(CAPTURE_RATE, CAPTURE_RATE)
        self._spoken = Resampler(RATE_OUT, RATE_OUT)
        self._before = 0
        """… by streams that were replaced."""
        self._written = 0
        """Bytes given to the present stream."""

    @property
    def flows(self) -> bool:
        return self._info is not None

    def hear(self) -> Pcm:
        """What came since the last time, (n,) int16 at `CAPTURE_RATE`."""
        try:
            info = self._info or self._open()
            if info is None:
                return np.zeros(0, np.int16)
            frame = SAMPLE_BYTES * info.rx_channels
            data = self._audio.read(int(info.rx_sample_rate * MOST_READ_S) * frame)
            self._count(info)
        except (AudioNotActive, AudioRestarted):
            self._close()
            return np.zeros(0, np.int16)
        pcm = np.frombuffer(data, np.int16)
        if info.rx_channels > 1:
            pcm = pcm[: len(pcm) // info.rx_channels * info.rx_channels].reshape(-1, info.rx_channels)
            pcm = pcm.mean(axis=1).astype(np.int16)
        return self._heard.feed(pcm)

    def play(self, pcm: Pcm) -> None:
        """Queue (n,) int16 at `RATE_OUT`; what does not fit is lost."""
        try:
            info = self._info or self._open()
            if info is None:
                self.played += len(pcm)
                return
            sound = self._spoken.feed(pcm)
            if info.tx_channels > 1:
                sound = np.repeat(sound, info.tx_channels)
            self._written += self._audio.write(sound.astype(np.int16).tobytes())
        except (AudioNotActive, AudioRestarted):
            self._close()
            self.played += len(pcm)

    def flush(self) -> None:
        """Drop what is queued."""
        try:
            if self._info is not None:
                self._audio.flush_tx()
        except (AudioNotActive, AudioRestarted):
            self._close()

    def _open(self) -> AudioInfo | None:
        info = self._audio.info()
        if not (info.rx_ready and info.tx_ready):
            return None
        self._info = info
        self._heard = Resampler(info.rx_sample_rate, CAPTURE_RATE)
        self._spoken = Resampler(RATE_OUT, info.tx_sample_rate)
        self._before, self._written = self.played, 0
        return info

    def _close(self) -> None:
        if self._info is not None:
            self._left(self._info, self._written)
            self._info = None

    def _count(self, info: AudioInfo) -> None:
        stats = self._audio.stats()
        self._left(info, self._written - stats.tx_buffered - stats.tx_flushed_bytes)

    def _left(self, info: AudioInfo, count: int) -> None:
        samples = count // (SAMPLE_BYTES * info.tx_channels)
        self.played = max(self.played, self._before + samples * RATE_OUT // info.tx_sample_rate)
