"""Sounds that are not speech, for the group `murmur`: a seed → (n,) float32 at 16 kHz, peak 1, each time the same.

A cough is a burst as the glottis opens, breath through the throat, and often a voiced end; clearing the throat is a
slow, creaking voice in breath. A dropped thing bounces, each time sooner and softer; a chair's leg slips and sticks.
They are shaped noise: what matters is that they are as loud, as long and as sudden as the real ones, and not words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

RATE = 16_000
THROAT = ((500, 250, 1.0), (1400, 400, 0.6), (2600, 700, 0.4), (4200, 1500, 0.15))
"""Resonances of an open throat: Hz, width in Hz, share."""
WOOD = ((180, 60, 1.0), (430, 90, 0.6), (950, 200, 0.3), (2800, 1500, 0.1))
CREAK = ((620, 90, 1.0), (1250, 120, 0.7), (2300, 400, 0.4), (200, 150, 0.4))

Sound = npt.NDArray[np.float32]
Wave = npt.NDArray[np.float64]
Resonances = Sequence[tuple[float, float, float]]


def cough(seed: int) -> Sound:
    """Two coughs, the second softer."""
    random = np.random.default_rng(seed)
    first, second = _cough(random), _cough(random) * random.uniform(0.4, 0.8)
    return _full(np.concatenate([first, np.zeros(int(random.uniform(0.08, 0.2) * RATE)), second]))


def throat(seed: int) -> Sound:
    """Clearing the throat: a short creak, and a longer one."""
    random = np.random.default_rng(seed)
    short = _creak(random, random.uniform(0.12, 0.18)) * 0.6
    long = _creak(random, random.uniform(0.3, 0.45))
    return _full(np.concatenate([short, np.zeros(int(random.uniform(0.05, 0.1) * RATE)), long]))


def drop(seed: int) -> Sound:
    """Something of wood falls, and bounces four times."""
    random = np.random.default_rng(seed)
    sound = np.zeros(int(1.4 * RATE))
    at, gap, loud = 0.0, 0.32, 1.0
    for _ in range(5):
        hit = _shaped(random.standard_normal(RATE // 4) * _decay(0.25, random.uniform(0.02, 0.03)), WOOD) * loud
        start = int(at * RATE)
        sound[start : start + len(hit)] += hit
        at, gap, loud = at + gap, gap * 0.65, loud * 0.55
    return _full(sound)


def chair(seed: int) -> Sound:
    """A chair is pushed back over the floor."""
    random = np.random.default_rng(seed)
    length = int(0.8 * RATE)
    slips = _pulses(random, np.linspace(55, 95, length), jitter=0.25)
    noise = random.standard_normal(length) * 0.05
    return _full(_shaped(slips + noise, CREAK) * _swell(length, 0.08, 0.15))


def keyboard(clicks: Sequence[Sound], seed: int) -> Sound:
    """Typing: the clicks one after the other, as fast as a practised hand, and once a longer stop."""
    random = np.random.default_rng(seed)
    gaps = random.uniform(0.09, 0.22, len(clicks))
    gaps[len(clicks) // 2] += 0.25
    starts = (np.concatenate([[0.0], np.cumsum(gaps)[:-1]]) * RATE).astype(int)
    sound = np.zeros(max(start + len(click) for start, click in zip(starts, clicks, strict=True)))
    for start, click in zip(starts, clicks, strict=True):
        sound[start : start + len(click)] += click * random.uniform(0.5, 1.0)
    return _full(sound)


KINDS: dict[str, Callable[[int], Sound]] = {"cough": cough, "throat": throat, "drop": drop, "chair": chair}
"""Those made of nothing but their seed."""


def _cough(random: np.random.Generator) -> Wave:
    burst = random.standard_normal(int(0.06 * RATE)) * _decay(0.06, 0.02)
    breath = random.standard_normal(int(random.uniform(0.15, 0.25) * RATE)) * 0.3
    breath *= np.linspace(1, 0.3, len(breath))
    end = int(random.uniform(0.06, 0.12) * RATE)
    pitch = random.uniform(150, 260)
    voice = _pulses(random, np.linspace(pitch, pitch * 0.7, end), jitter=0.05) * np.linspace(1, 0, end)
    parts = (_shaped(burst, THROAT), _shaped(breath, THROAT), _shaped(voice, THROAT) * 0.4)
    return np.concatenate([part * _swell(len(part), 0.003, 0.02) for part in parts])


def _creak(random: np.random.Generator, seconds: float) -> Wave:
    length = int(seconds * RATE)
    pitch = random.uniform(70, 110)
    voice = _pulses(random, np.linspace(pitch, pitch * 1.2, length), jitter=0.2)
    breath = random.standard_normal(length) * 0.12
    return _shaped(voice + breath, THROAT) * _swell(length, 0.03, 0.08)


def _pulses(random: np.random.Generator, rate_hz: Wave, jitter: float) -> Wave:
    """A pulse each period of `rate_hz`, early or late and weak or strong by `jitter`."""
    sound = np.zeros(len(rate_hz))
    at = 0.0
    while int(at) < len(sound):
        sound[int(at)] = 1 + jitter * random.standard_normal()
        at += max(1.0, RATE / rate_hz[int(at)] * (1 + jitter * random.uniform(-1, 1)))
    return sound


def _shaped(sound: Wave, resonances: Resonances) -> Wave:
    """With the spectrum of these resonances; the loudest sample is 1."""
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    gain = sum((share / (1 + ((hz - at) / width) ** 2) for at, width, share in resonances), np.zeros(len(hz)))
    made: Wave = np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))
    made /= np.abs(made).max()
    return made


def _decay(seconds: float, fall_s: float) -> Wave:
    decay: Wave = np.exp(-np.arange(int(seconds * RATE)) / (fall_s * RATE))
    return decay


def _swell(length: int, rise_s: float, fall_s: float) -> Wave:
    """0 → 1 in `rise_s`, and at the end back in `fall_s`."""
    at = np.arange(length) / RATE
    swell: Wave = np.clip(np.minimum(at / rise_s, at[::-1] / fall_s), 0, 1)
    return swell


def _full(sound: Wave) -> Sound:
    full: Sound = (sound / np.abs(sound).max()).astype(np.float32)
    return full
