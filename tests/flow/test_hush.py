"""A voice that falls silent."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.flow.hush import Hush
from appliance.terms.units import FRAME_SAMPLES

FRAME_S = 0.02


def fed(hush: Hush, level_db: float, seconds: float, *, speech: bool = True) -> float:
    random = np.random.default_rng(1)
    quiet = 0.0
    for _ in range(round(seconds / FRAME_S)):
        pcm = (random.standard_normal(FRAME_SAMPLES) * 32768 * 10 ** (level_db / 20)).clip(-32768, 32767)
        quiet = hush.feed(pcm.astype(np.int16), speech=speech)
    return quiet


def test_silence_after_speech_is_counted_from_its_first_frame() -> None:
    hush = Hush()
    assert fed(hush, -25, 1.0) == 0.0
    assert fed(hush, -75, 0.06) == pytest.approx(0.06)
    assert fed(hush, -25, 0.02) == 0.0


def test_a_voice_that_sinks_a_little_is_not_silent() -> None:
    hush = Hush()
    fed(hush, -25, 1.0)
    assert fed(hush, -50, 0.5) == 0.0


def test_on_a_noisy_line_nothing_is_silent() -> None:
    hush = Hush()
    fed(hush, -20, 1.0)
    assert fed(hush, -45, 3.0) == 0.0


def test_after_a_bang_a_soft_voice_is_heard_again() -> None:
    hush = Hush()
    fed(hush, -3, 0.3, speech=False)
    assert fed(hush, -45, 0.1) == 0.0


def test_after_a_shout_a_soft_voice_is_heard_again_in_time() -> None:
    hush = Hush()
    fed(hush, -3, 0.5)
    fed(hush, -45, 4.0)
    assert fed(hush, -45, 0.1) == 0.0


def test_what_is_very_quiet_is_silence_whatever_came_before() -> None:
    assert Hush().feed(np.zeros(FRAME_SAMPLES, np.int16), speech=False) == FRAME_S
