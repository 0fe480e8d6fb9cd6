"""What of a microphone's sound is a linear echo of the loudspeaker: a partitioned Kalman filter of frequencies. Pure.

It follows Enzner and Vary (Signal Processing 86, 2006) and Kuech, Mabande and Enzner (ICASSP 2014): each coefficient
has its own uncertainty, and so its own step; where somebody else speaks, the steps become small by themselves. So it
goes on taking out the echo while a visitor speaks over it, and leaves the visitor as they are; but no distortion of a
small loudspeaker, of which it knows nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 160
"""10 ms at 16 kHz."""
PARTS = 40
"""So many blocks of echo: what buffers hold back counts in."""
CHANGES = 0.9998
"""How much of a coefficient is still right after a block: 50 s."""
UNSURE = 1.0
SMOOTH = 0.8
OVERLAP = 0.5
"""Of the windows: so much of the error of one is new."""
TINY = 1e-9

Samples = npt.NDArray[np.float32]


class LinearEcho:
    """(160,) float32 of both sides in, 16 kHz, full scale 1; what is left, and the echo, out."""

    def __init__(self) -> None:
        bins = BLOCK + 1
        self._played = np.zeros(2 * BLOCK, np.float32)
        self._spectra = np.zeros((PARTS, bins), np.complex64)
        self._filter = np.zeros((PARTS, bins), np.complex64)
        self._unsure = np.full((PARTS, bins), UNSURE, np.float32)
        self._rest = np.full(bins, 1e-6, np.float32)
        self._silent = PARTS

    def feed(self, played: Samples, heard: Samples) -> tuple[Samples, Samples]:
        self._silent = 0 if played.any() else self._silent + 1
        if self._silent > PARTS:  # there is no echo, and nothing to learn
            return heard, np.zeros_like(heard)
        self._played = np.concatenate([self._played[BLOCK:], played])
        self._spectra[1:] = self._spectra[:-1].copy()
        self._spectra[0] = np.fft.rfft(self._played)
        echo = np.fft.irfft(np.einsum("pf,pf->f", self._spectra, self._filter))[BLOCK:].astype(np.float32)
        left = heard - echo
        self._learn(left)
        return left, echo

    def forget(self) -> None:
        """Begin anew: the room, or the delay, is another one."""
        self._filter[:] = 0
        self._unsure[:] = UNSURE

    def _learn(self, left: Samples) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK, np.float32), left])).astype(np.complex64)
        self._rest += (1 - SMOOTH) * (power(error) - self._rest)
        powers = power(self._spectra)
        expected = np.einsum("pf,pf->f", powers, self._unsure)
        step = self._unsure / (expected + 2 * self._rest + TINY)
        change = np.fft.irfft(step * np.conj(self._spectra) * error, axis=1)
        change[:, BLOCK:] = 0  # a filter of a block's length: what is beyond would come round from the other side
        self._filter += np.fft.rfft(change, axis=1).astype(np.complex64)
        self._unsure *= CHANGES**2 * (1 - OVERLAP * step * powers)
        self._unsure += (1 - CHANGES**2) * power(self._filter)


def power(spectrum: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)
