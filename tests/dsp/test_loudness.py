"""Loudness by the standard's own values, and levels that never pass the ceiling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.dsp.loudness import CEILING_DBTP, TARGET_LUFS, gain_for, levelled, loudness, true_peak
from appliance.terms.units import Pcm

RATE = 48_000
MONO_LU = 3.01
"""The standards' signals are stereo; one channel of them is so much softer."""


def sine(db: float, seconds: float = 3.0, hz: float = 997.0, rate: int = RATE, phase: float = 0.0) -> Pcm:
    at = np.arange(int(seconds * rate)) / rate
    pcm: Pcm = np.round(np.sin(2 * np.pi * hz * at + phase) * 32767 * 10 ** (db / 20)).astype(np.int16)
    return pcm


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_a_sine_is_as_loud_as_bs_1770_says(rate: int) -> None:
    assert loudness(sine(0, rate=rate), rate) == pytest.approx(-3.01, abs=0.1)
    assert loudness(sine(-20, rate=rate), rate) == pytest.approx(-23.01, abs=0.1)


def test_ebu_tech_3341_signals_3_4_and_5() -> None:
    def integrated(*parts: tuple[float, float]) -> float:
        return loudness(np.concatenate([sine(db, seconds, 1000) for db, seconds in parts]), RATE) + MONO_LU

    assert integrated((-36, 10), (-23, 60), (-36, 10)) == pytest.approx(-23, abs=0.1)
    assert integrated((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)) == pytest.approx(-23, abs=0.1)
    assert integrated((-26, 20), (-20, 20.1), (-26, 20)) == pytest.approx(-23, abs=0.1)


def test_silence_and_nothing_have_no_loudness() -> None:
    assert loudness(np.zeros(RATE, np.int16), RATE) == -math.inf
    assert loudness(np.zeros(0, np.int16), RATE) == -math.inf
    assert true_peak(np.zeros(100, np.int16)) == -math.inf
    assert gain_for(np.zeros(RATE, np.int16), RATE) == 0.0


def test_a_peak_between_two_samples_is_seen() -> None:
    """At a quarter of the rate and 45° each sample is 3 dB below the wave's own peak."""
    pcm = sine(-3.01, hz=RATE / 4, phase=math.pi / 4)
    assert 20 * math.log10(np.abs(pcm.astype(int)).max() / 32768) == pytest.approx(-6.02, abs=0.05)
    assert true_peak(pcm) == pytest.approx(-3.01, abs=0.2)


def test_a_voice_is_brought_to_the_target_and_its_peaks_stay_below_the_ceiling(
    utterances: dict[str, Utterance],
) -> None:
    for utterance in list(utterances.values())[:5]:
        pcm = (soundfile.read(utterance.file, rate=RATE) * 0.2).astype(np.int16)
        loud = levelled(pcm, gain_for(pcm, RATE), RATE)
        assert loudness(loud, RATE) == pytest.approx(TARGET_LUFS, abs=0.5)
        assert true_peak(loud) <= CEILING_DBTP + 0.1


def test_what_needs_no_limit_is_only_louder() -> None:
    pcm = sine(-30, 0.2)
    assert np.abs(levelled(pcm, 6.0206, RATE).astype(int) - 2 * pcm.astype(int)).max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=2, max_size=4000), st.floats(-30, 30))
def test_no_sound_passes_the_ceiling(data: bytes, gain_db: float) -> None:
    pcm = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
    out = levelled(pcm, gain_db, 16_000)
    assert len(out) == len(pcm)
    assert true_peak(out) <= CEILING_DBTP + 0.1
