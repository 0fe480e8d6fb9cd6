"""How loud a voice is, as people hear it, and how to make it as loud as others without clipping. Pure.

Loudness is that of ITU-R BS.1770-5, in LUFS; peaks are true peaks, four times oversampled, as its Annex 2 asks.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.terms.units import Pcm

TARGET_LUFS = -16.0
"""As loud as podcasts, and as people set their players for."""
CEILING_DBTP = -1.0
QUIETEST_LUFS = -70.0
BLOCK_S, OVERLAP = 0.4, 4
RELATIVE_LU = -10.0
OFFSET_DB = -0.691
SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
HIGH_PASS = (38.13547087602444, 0.5003270373238773)
"""The K-weighting at any rate: Hz, dB and Q of the shelf that a head makes; Hz and Q of the high-pass."""
OVERSAMPLED = 4
TAPS = 12
"""A phase of the interpolation."""
LOOK_AHEAD_S = 0.005

ROUNDS = 4
MOST_GAIN_DB = 20.0

Samples = npt.NDArray[np.floating[Any]]


def loudness(pcm: Pcm, rate: int) -> float:
    """The integrated, gated loudness of (n,) int16 in LUFS; −inf where nothing is louder than −70."""
    size = 1 << max(1, len(pcm) - 1).bit_length()
    weighted = np.fft.irfft(np.fft.rfft(pcm / 32768.0, size) * _weighting(size, rate), size)[: len(pcm)]
    step = max(1, int(BLOCK_S * rate / OVERLAP))
    block = step * OVERLAP
    powers = np.square(np.pad(weighted, (0, max(0, block - len(weighted)))))
    sums = np.cumsum(np.concatenate([[0.0], powers]))
    blocks = (sums[block:] - sums[:-block])[::step] / block
    if len(pcm) < block:
        blocks = blocks * (block / max(1, len(pcm)))
    blocks = blocks[blocks > 10 ** ((QUIETEST_LUFS - OFFSET_DB) / 10)]
    if not len(blocks):
        return -math.inf
    blocks = blocks[blocks > blocks.mean() * 10 ** (RELATIVE_LU / 10)]
    return OFFSET_DB + 10 * math.log10(float(blocks.mean()))


def true_peak(pcm: Pcm) -> float:
    """In dBTP; −inf for silence."""
    peak = float(_peaks(pcm / 32768.0).max(initial=0.0))
    return 20 * math.log10(peak) if peak else -math.inf


def levelled(pcm: Pcm, gain_db: float, rate: int) -> Pcm:
    """(n,) int16, louder by so much, its true peaks held at the ceiling: where they would pass it, the gain is taken
    back 5 ms before and given again after."""
    sound = pcm / 32768.0 * 10 ** (gain_db / 20)
    peaks = _peaks(sound)
    ceiling = 10 ** (CEILING_DBTP / 20)
    if peaks.max(initial=0.0) > ceiling:
        sound = sound * _held(np.minimum(1.0, ceiling / np.maximum(peaks, ceiling)), int(LOOK_AHEAD_S * rate))
    out: Pcm = np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16)
    return out


def gain_for(pcm: Pcm, rate: int) -> float:
    """The gain in dB with which (n,) int16 of a voice is as loud as it should be, once its peaks are held."""
    gain_db = 0.0
    if loudness(pcm, rate) > QUIETEST_LUFS:
        for _ in range(ROUNDS):
            gain_db += TARGET_LUFS - loudness(levelled(pcm, gain_db, rate), rate)
    return min(MOST_GAIN_DB, gain_db)


def _held(gain: Samples, reach: int) -> Samples:
    """A gain that changes slowly and is nowhere more than `gain`: its least within reach, smoothed over as much."""
    least = np.pad(gain, reach, constant_values=1.0)
    width, covered = 2 * reach + 1, 1
    while covered < width:  # the least of so many neighbours, doubled until they are enough
        shift = min(covered, width - covered)
        least = np.minimum(least[:-shift], least[shift:])
        covered += shift
    padded = np.pad(least, reach, mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    held: Samples = (sums[width:] - sums[:-width]) / width
    return held


def _peaks(sound: Samples) -> Samples:
    """At each sample the largest magnitude from the one before it to the next."""
    peaks = np.abs(sound)
    if len(sound) < TAPS:
        return peaks
    for phase in _interpolation():
        between = np.abs(np.convolve(sound, phase, "full")[TAPS // 2 - 1 : TAPS // 2 - 1 + len(sound)])
        peaks = np.maximum(peaks, between)
    either: Samples = np.maximum(peaks, np.concatenate([[0.0], peaks[:-1]]))
    return either


@cache
def _interpolation() -> tuple[Samples, ...]:
    """Windowed sinc, for the three places between two samples."""
    at = np.arange(TAPS) - TAPS // 2 + 1
    phases = []
    for place in range(1, OVERSAMPLED):
        offset = at - place / OVERSAMPLED
        taps = np.sinc(offset) * (0.5 + 0.5 * np.cos(np.pi * offset / (TAPS / 2)))
        phases.append((taps / taps.sum())[::-1])
    return tuple(phases)


@cache
def _weighting(size: int, rate: int) -> Samples:
    """The K-weighting's gain at each frequency of a spectrum."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1.0))
    hz, db, q = SHELF
    k, high = math.tan(math.pi * hz / rate), 10 ** (db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = _biquad(
        z,
        ((high + band * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - band * k / q + k * k) / a0),
        (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0),
    )
    hz, q = HIGH_PASS
    k = math.tan(math.pi * hz / rate)
    a0 = 1 + k / q + k * k
    gain: Samples = np.abs(shelf * _biquad(z, (1, -2, 1), (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0)))
    return gain


def _biquad(z: Any, b: tuple[float, float, float], a: tuple[float, float]) -> Any:
    return (b[0] + b[1] * z + b[2] * z * z) / (1 + a[0] * z + a[1] * z * z)
