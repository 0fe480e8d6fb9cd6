"""The sound of one call in the SIP worker: baresip's ring buffers on one side, the main process on the other."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from baresip import AudioInfo, AudioNotActive, AudioRestarted, AudioStats

from appliance.dsp.resample import Resampler
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm

RATE_OUT = 24_000
"""What the main process hands over, whatever the call's codec."""
SAMPLE_BYTES = 2
MOST_READ_S = 1.0
MOST_AHEAD_S = 1.0


class Audio(Protocol):
    """What of baresip's `CallAudio` is used."""

    _bound_epoch: int | None

    def info(self) -> AudioInfo: ...
    def stats(self) -> AudioStats: ...
    def read(self, max_bytes: int) -> bytes: ...
    def write(self, pcm: bytes) -> int: ...
    def flush_tx(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How it stands with what was to be played, in samples at `RATE_OUT`."""

    got: int = 0
    """So much was handed over since the call began."""
    left: int = 0
    """So much of that waits."""
    played: int = 0
    """So much left for the caller; the rest was flushed, or lost with a stream."""
    flushes: int = 0


class Leg:
    """One call's sound. It may be asked for at any time: before the sound flows, what is to be played waits.

    A renegotiation replaces the streams, perhaps at other rates: what was queued in them is lost then.
    """

    def __init__(self, audio: Audio) -> None:
        self.account = self._told = Account()
        self._audio = audio
        self._info: AudioInfo | None = None
        self._epoch: int | None = None
        """Of the streams that we know; a renegotiation replaces them."""
        self._heard = Resampler(CAPTURE_RATE, CAPTURE_RATE)
        self._spoken = Resampler(RATE_OUT, RATE_OUT)
        self._rest = np.zeros(0, np.int16)
        """What came and is no whole frame yet."""
        self._ahead: deque[Pcm] = deque()
        """What is to be played and could not be given to a stream yet."""
        self._got = self._flushes = 0
        self._draining = False
        """baresip empties its queue at its next packet: what was written before that would go with the rest."""
        self._before = 0
        """What was played by streams that were replaced."""
        self._written = 0
        """Bytes given to the present stream."""

    def take(self) -> Pcm | None:
        """What came since the last time, (n,) int16 at `CAPTURE_RATE` in whole frames; None where nothing came and the
        account stands as it did."""
        pcm = np.concatenate([self._rest, self._hear()])
        whole = len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = pcm[whole:]
        if not whole and self.account == self._told:
            return None
        self._told = self.account
        return pcm[:whole]

    def play(self, pcm: Pcm, given: int, flushes: int) -> None:
        """Queue (n,) int16 at `RATE_OUT`, with which so much was given and so often flushed since the line began,
        whether or not we were told of all of it; of more than a second that no stream takes, the oldest is lost."""
        if flushes != self._flushes:
            self.flush(flushes)
        self._got = given
        self._ahead.append(pcm)
        if sum(map(len, self._ahead)) > MOST_AHEAD_S * RATE_OUT:
            self._ahead.popleft()
        try:
            self._write()
        except (AudioNotActive, AudioRestarted):
            self._close()

    def flush(self, flushes: int) -> None:
        """Drop what is queued; so often it was by now."""
        self._flushes = flushes
        self._ahead.clear()
        try:
            if self._info is not None:
                self._audio.flush_tx()
                self._draining = True
        except (AudioNotActive, AudioRestarted):
            self._close()

    def _hear(self) -> Pcm:
        try:
            info = self._write()
            if info is None:
                self._stand(0, self.account.played)
                return np.zeros(0, np.int16)
            frame = SAMPLE_BYTES * info.rx_channels
            data = self._audio.read(int(info.rx_sample_rate * MOST_READ_S) * frame)
        except (AudioNotActive, AudioRestarted):
            self._close()
            return np.zeros(0, np.int16)
        pcm = np.frombuffer(data, np.int16)
        if info.rx_channels > 1:
            pcm = pcm[: len(pcm) // info.rx_channels * info.rx_channels].reshape(-1, info.rx_channels)
            pcm = pcm.mean(axis=1).astype(np.int16)
        return self._heard.feed(pcm)

    def _write(self) -> AudioInfo | None:
        """Give the stream what waits for it; the stream, or None where none flows."""
        info = self._info or self._open()
        if info is None:
            return None
        stats = self._audio.stats()
        if self._audio._bound_epoch != self._epoch:  # `stats` takes up the new streams without a word
            raise AudioRestarted("the streams were replaced")
        self._draining = self._draining and stats.tx_buffered > 0
        buffered = 0 if self._draining else stats.tx_buffered
        played = self._samples(info, self._written - stats.tx_buffered - stats.tx_flushed_bytes)
        while self._ahead and not self._draining:
            sound = self._spoken.feed(self._ahead.popleft())
            if info.tx_channels > 1:
                sound = np.repeat(sound, info.tx_channels)
            written = self._audio.write(sound.astype(np.int16).tobytes())
            self._written += written
            buffered += written
        self._stand(self._samples(info, buffered), self._before + played)
        return info

    def _open(self) -> AudioInfo | None:
        info = self._audio.info()
        if not (info.rx_ready and info.tx_ready):
            return None
        self._info, self._epoch = info, self._audio._bound_epoch
        self._heard = Resampler(info.rx_sample_rate, CAPTURE_RATE)
        self._spoken = Resampler(RATE_OUT, info.tx_sample_rate)
        self._before, self._written = self.account.played, 0
        return info

    def _close(self) -> None:
        self._info, self._draining = None, False
        self._stand(0, self.account.played)

    def _stand(self, buffered: int, played: int) -> None:
        self.account = Account(
            got=self._got,
            left=buffered + sum(map(len, self._ahead)),
            played=max(self.account.played, played),
            flushes=self._flushes,
        )

    @staticmethod
    def _samples(info: AudioInfo, count: int) -> int:
        """Bytes of the stream as samples at `RATE_OUT`."""
        return count // (SAMPLE_BYTES * int(info.tx_channels)) * RATE_OUT // int(info.tx_sample_rate)
