"""Our own voice out of the microphone, and the visitor's left in it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.dsp.echo import MOST_WAITING, EchoCanceller
from appliance.dsp.linear_echo import BLOCK, LinearEcho
from appliance.terms.units import CAPTURE_RATE, Pcm, dbfs

Wave = npt.NDArray[np.float64]
RNG = np.random.default_rng(4)
BLOCK_S = BLOCK / CAPTURE_RATE


def rms(sound: npt.NDArray[np.generic]) -> float:
    return dbfs(sound.astype(np.float64))


def at(sound: Wave, level: float) -> Wave:
    return sound * 10 ** ((level - rms(sound)) / 20)


def room(delay_ms: float, seed: int = 1) -> Wave:
    """A response of 200 ms, as loud as what it answers."""
    t = np.arange(CAPTURE_RATE // 5) / CAPTURE_RATE
    tail = np.random.default_rng(seed).standard_normal(len(t)) * 10 ** (-3 * t / 0.2)
    whole = np.concatenate([np.zeros(round(delay_ms / 1000 * CAPTURE_RATE)), [1.5 * np.linalg.norm(tail)], tail])
    return np.asarray(whole / np.linalg.norm(whole))


def echoed(played: Wave, response: Wave) -> Wave:
    size = len(played) + len(response)
    return np.asarray(np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(response, size), size)[: len(played)])


def pcm(sound: Wave) -> Pcm:
    return np.clip(sound + RNG.standard_normal(len(sound)) * 20, -32768, 32767).astype(np.int16)


@pytest.fixture(scope="module")
def agent(utterances: dict[str, Utterance]) -> Wave:
    """Twelve seconds of somebody who talks."""
    said = [soundfile.read(u.file).astype(np.float64) for u in utterances.values() if u.group == "question"]
    return at(np.concatenate(said)[: 12 * CAPTURE_RATE], -20)


@pytest.fixture(scope="module")
def visitor(utterances: dict[str, Utterance]) -> Wave:
    return at(soundfile.read(utterances["barge-coffee"].file).astype(np.float64), -26)


def blocks(sound: Pcm) -> Iterator[Pcm]:
    for start in range(0, len(sound) - BLOCK + 1, BLOCK):
        yield sound[start : start + BLOCK]


def cleaned(canceller: EchoCanceller, played: Wave, heard: Wave) -> Wave:
    out = []
    for far, near in zip(blocks(played.astype(np.int16)), blocks(pcm(heard)), strict=True):
        canceller.played(far)
        raw, clean = canceller.heard(near)
        assert len(raw) == len(clean) == BLOCK
        assert np.array_equal(raw, near)
        out.append(clean)
    return np.concatenate(out).astype(np.float64)


def loss(heard: Wave, left: Wave, begin_s: float, end_s: float) -> float:
    part = slice(int(begin_s * CAPTURE_RATE), int(end_s * CAPTURE_RATE))
    return rms(heard[part]) - rms(left[part])


@pytest.mark.parametrize("delay_ms", [20, 80, 180])
def test_an_echo_is_gone_within_two_seconds_at_any_delay(agent: Wave, delay_ms: float) -> None:
    heard = 0.5 * echoed(agent, room(delay_ms))
    left = cleaned(EchoCanceller(2), agent, heard)
    assert loss(heard, left, 2, 12) > 35


def test_a_distorting_loudspeakers_echo_is_gone_too(agent: Wave) -> None:
    driven = np.tanh(3 * agent / 32768) / 3 * 32768
    heard = 0.5 * echoed(driven, room(60))
    assert loss(heard, cleaned(EchoCanceller(2), agent, heard), 2, 12) > 30


def test_a_visitor_as_loud_as_the_echo_is_left_whole(agent: Wave, visitor: Wave) -> None:
    echo = 0.5 * echoed(agent, room(60))
    assert rms(echo[6 * CAPTURE_RATE : 8 * CAPTURE_RATE]) > rms(visitor) - 3
    start = 6 * CAPTURE_RATE
    heard = echo.copy()
    heard[start : start + len(visitor)] += visitor
    left = cleaned(EchoCanceller(0), agent, heard)
    late = left[start : start + len(visitor) + 200]
    shift = int(np.argmax(np.correlate(late, visitor[: len(visitor)], "valid")))
    part = late[shift : shift + len(visitor)]
    likeness = float(part @ visitor / np.linalg.norm(part) / np.linalg.norm(visitor))
    assert likeness > 0.85, "AEC3 alone: 0.4"


def test_another_room_is_learnt(agent: Wave) -> None:
    first, second = 0.5 * echoed(agent, room(40)), 0.5 * echoed(agent, room(120, seed=9))
    half = len(agent) // 2
    heard = np.concatenate([first[:half], second[half:]])
    left = cleaned(EchoCanceller(2), agent, heard)
    assert loss(heard, left, 9, 12) > 25


def test_the_linear_canceller_learns_while_somebody_else_speaks(agent: Wave, visitor: Wave) -> None:
    echo = 0.5 * echoed(agent, room(60)) / 32768
    near = np.resize(np.concatenate([np.zeros(CAPTURE_RATE), visitor / 32768]), len(echo))
    near[: 4 * CAPTURE_RATE] = 0
    canceller, rest = LinearEcho(), []
    for far, mic in zip(
        *(np.split(s[: len(s) // BLOCK * BLOCK], len(s) // BLOCK) for s in (agent, echo + near)), strict=True
    ):
        left, told = canceller.feed((far / 32768).astype(np.float32), mic.astype(np.float32))
        assert np.allclose(left + told, mic, atol=1e-6)
        rest.append(left)
    residual = np.concatenate(rest) - near[: len(rest) * BLOCK]
    assert loss(echo, residual.astype(np.float64), 8, 11) > 20


def test_nothing_played_is_nothing_changed_but_the_noise(visitor: Wave) -> None:
    heard = np.concatenate([np.zeros(CAPTURE_RATE), visitor, np.zeros(CAPTURE_RATE)])
    heard = heard[: len(heard) // BLOCK * BLOCK]
    left = cleaned(EchoCanceller(0), np.zeros(len(heard)), heard)
    assert rms(left) == pytest.approx(rms(heard), abs=1.5)


@pytest.mark.parametrize("noise", range(5))
def test_noise_is_held_down_as_hard_as_is_asked(noise: int) -> None:
    heard = RNG.standard_normal(5 * CAPTURE_RATE) * 200
    left = cleaned(EchoCanceller(noise), np.zeros(len(heard)), heard)
    down = loss(heard, left, 3, 5)
    assert down == pytest.approx((0, 6, 12, 18, 21)[noise], abs=4)


def test_lumps_and_clocks_that_differ_are_put_together(agent: Wave) -> None:
    heard = 0.5 * echoed(agent, room(80))
    canceller, out = EchoCanceller(2), []
    mic, far = pcm(heard), agent.astype(np.int16)
    fed = 0
    for i in range(0, len(mic) - 441, 441):  # 441 samples: neither side comes in whole blocks
        if i // 441 % 2 == 0:
            lump = far[fed : fed + 2 * 441]
            canceller.played(lump)
            fed += len(lump)
        out.append(canceller.heard(mic[i : i + 441])[1])
    left = np.concatenate(out).astype(np.float64)
    assert loss(heard, left, 4, 11) > 30
    assert canceller.steps <= 3


def test_a_microphone_that_was_gone_for_a_while_is_caught_up_with(agent: Wave) -> None:
    heard = 0.5 * echoed(agent, room(50))
    canceller, out = EchoCanceller(2), []
    for i, (far, near) in enumerate(zip(blocks(agent.astype(np.int16)), blocks(pcm(heard)), strict=True)):
        canceller.played(far)
        if not 300 <= i < 400:
            out.append(canceller.heard(near)[1])
    left = np.concatenate(out).astype(np.float64)
    whole = np.concatenate([heard[: 300 * BLOCK], heard[400 * BLOCK :]])
    assert loss(whole, left, 5, 10) > 35


def test_a_loudspeaker_that_runs_ahead_does_not_pile_up() -> None:
    canceller = EchoCanceller(0)
    for _ in range(100):
        canceller.played(np.ones(BLOCK, np.int16))
    assert canceller.steps == 100 - MOST_WAITING
    assert math.isclose(len(canceller._waiting), MOST_WAITING)
