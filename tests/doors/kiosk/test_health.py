"""Devices and buttons that are not as they say."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.doors.kiosk.health import RealRate, Silence, Touch, Unheard
from appliance.terms.units import Pcm

BLOCK_S = 0.01
NOTHING = np.zeros(160, np.int16)
RNG = np.random.default_rng(1)


def noise(dbfs: float, samples: int = 160) -> Pcm:
    return (RNG.standard_normal(samples) * 32768 * 10 ** (dbfs / 20)).clip(-32768, 32767).astype(np.int16)


def test_a_microphone_that_delivers_zeros_is_found_out_after_three_seconds() -> None:
    silence = Silence()
    changes = [i for i in range(400) if silence.feed(NOTHING, i * BLOCK_S)]
    assert changes == [300]
    assert silence.on
    assert silence.feed(noise(-80), 4.0)
    assert not silence.on


def test_a_quiet_room_is_no_dead_microphone() -> None:
    silence = Silence()
    assert not any(silence.feed(noise(-86), i * BLOCK_S) for i in range(1000))


@pytest.mark.parametrize(
    ("said", "real", "lies"),
    [(48_000, 44_100, 44_100), (48_000, 16_000, 16_000), (44_100, 48_000, 48_000), (48_000, 47_990, 0)],
)
def test_a_device_that_lies_about_its_rate_is_found_out(said: int, real: int, lies: int) -> None:
    rate = RealRate(said)
    block = said // 100
    found = [i for i in range(1500) if rate.feed(block, i * block / real)]
    assert rate.lies == lies
    assert len(found) == (1 if lies else 0) or rate.lies == lies


def test_a_machine_that_slept_has_no_lying_device() -> None:
    rate, now = RealRate(48_000), 0.0
    for i in range(3000):
        now += 0.01 + (30.0 if i == 700 else 0.0)
        rate.feed(480, now)
    assert rate.lies == 0


def test_a_finger_that_stays_is_one_tap() -> None:
    touch = Touch()
    taps = [i for i in range(50) if touch.tap(i * 0.1)]
    assert taps == [0]
    assert not touch.stuck
    assert touch.tap(10.0)


def test_a_screen_that_is_touched_all_day_is_stuck_until_it_is_not() -> None:
    touch = Touch()
    taps = [i for i in range(1000) if touch.tap(i * 0.1)]
    assert taps == [0]
    assert touch.stuck
    assert not touch.look(100.0)
    assert touch.look(101.0)
    assert not touch.stuck
    assert touch.tap(102.0)


def test_a_loudspeaker_that_nobody_hears_is_noticed() -> None:
    unheard = Unheard()
    for _ in range(200):
        unheard.feed(NOTHING, noise(-60), 0.02)
    changes = [i for i in range(2000) if unheard.feed(noise(-20), noise(-60), 0.02)]
    assert len(changes) == 1
    assert unheard.on
    changes = [i for i in range(2000) if unheard.feed(noise(-20), noise(-45), 0.02)]
    assert len(changes) == 1
    assert not unheard.on
