"""Live sound that comes unevenly and is taken evenly; the clocks are numbers."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.rtp.steady import BOUND_S, SHORTEST_S, SPARE_S, Steady
from appliance.terms.units import Pcm

RATE = 16_000
FRAME = 320
FRAME_S = 0.02


def voice(seconds: float, hz: float = 140.0) -> Pcm:
    at = np.arange(int(seconds * RATE)) / RATE
    harmonics = np.array([np.sin(2 * np.pi * hz * k * at) / k for k in range(1, 8)])
    pcm: Pcm = (harmonics.sum(axis=0) * 4000).astype(np.int16)
    return pcm


def played(pcm: Pcm, arrivals: list[float], taken_every_s: float = FRAME_S) -> tuple[Pcm, list[float], Steady]:
    """What is heard of it, how much is queued before each take in ms, and the buffer."""
    steady, out, queued = Steady(RATE), list[Pcm](), list[float]()
    coming = [(at, i) for i, at in enumerate(arrivals)]
    heapq.heapify(coming)
    while coming or steady.queued_ms >= 20:
        now = len(out) * taken_every_s
        while coming and coming[0][0] <= now + 1e-9:
            _, i = heapq.heappop(coming)
            steady.put(pcm[i * FRAME : (i + 1) * FRAME])
        queued.append(steady.queued_ms)
        out.append(steady.take(FRAME))
        assert len(out[-1]) == FRAME
    return np.concatenate(out), queued, steady


def test_even_sound_is_heard_as_it_is() -> None:
    pcm = voice(2.0)
    out, queued, steady = played(pcm, [n * FRAME_S for n in range(100)])
    assert max(queued) <= 20
    assert np.array_equal(out[:FRAME], pcm[:FRAME])
    assert steady.made_up_ms == steady.taken_out_ms == 0


def test_after_a_pause_in_the_line_its_delay_goes_away_without_a_click() -> None:
    """120 ms come late, all at once; 5 s later they wait no longer."""
    pcm = voice(8.0)
    arrivals = [n * FRAME_S + (0.12 if 100 <= n < 106 else 0.0) for n in range(400)]
    arrivals = [max(at, arrivals[105]) if 100 <= n < 106 else at for n, at in enumerate(arrivals)]
    out, queued, steady = played(pcm, arrivals)
    assert max(queued[106:120]) > 80
    assert np.mean(queued[-50:]) <= 1000 * (SPARE_S + SHORTEST_S) + 20
    assert steady.taken_out_ms > 40
    after = out[int(2.6 * RATE) :].astype(int)
    assert np.abs(np.diff(after)).max() <= 1.3 * np.abs(np.diff(pcm.astype(int))).max()


@pytest.mark.parametrize("ppm", [-100, 100, 500])
def test_two_clocks_that_drift_apart_leave_no_delay_behind(ppm: int) -> None:
    """Thirty minutes at 100 ppm are 180 ms; here they pass in six at 500."""
    minutes = 30 if abs(ppm) == 100 else 6
    count = minutes * 60 * 50
    steady, queued = Steady(RATE), list[float]()
    frame = voice(FRAME_S, 150.0)
    put = 0
    for n in range(count):
        now = n * FRAME_S * (1 + ppm / 1_000_000)
        while put * FRAME_S <= now:
            steady.put(frame)
            put += 1
        queued.append(steady.queued_ms)
        steady.take(FRAME)
    assert max(queued) <= 1000 * (SPARE_S + SHORTEST_S) + 45
    drifted_ms = count * 20 * abs(ppm) / 1_000_000
    assert steady.made_up_ms + steady.taken_out_ms <= drifted_ms + 60, "no more is done than has drifted"
    assert steady.dropped_ms == 0


def test_speech_that_is_shortened_keeps_its_words(utterances: dict[str, Utterance]) -> None:
    """Of the loudest second nothing is lost but periods: its spectrum stays."""
    pcm = soundfile.read(next(iter(utterances.values())).file, rate=RATE)
    pcm = np.tile(pcm, 5)[: 6 * RATE // FRAME * FRAME]
    arrivals = [max(n * FRAME_S, 0.3 if n < 15 else 0.0) for n in range(len(pcm) // FRAME)]
    out, _, steady = played(pcm, arrivals)
    assert steady.taken_out_ms > 100
    assert steady.dropped_ms == 0

    def spectrum(sound: Pcm) -> Any:
        frames = sound[: len(sound) // 512 * 512].reshape(-1, 512) * np.hanning(512)
        return np.log(np.square(np.abs(np.fft.rfft(frames))).mean(axis=0) + 1.0)

    assert np.abs(spectrum(out[: len(pcm)])[5:200] - spectrum(pcm)[5:200]).mean() < 0.5


def test_it_never_holds_more_than_half_a_second() -> None:
    steady = Steady(RATE)
    for _ in range(200):
        steady.put(voice(FRAME_S))
    assert steady.queued_ms <= BOUND_S * 1000
    assert steady.dropped_ms > 3000


def test_a_line_that_went_silent_ends_in_silence_and_is_heard_again() -> None:
    steady = Steady(RATE)
    steady.put(voice(0.1))
    sounds = [steady.take(FRAME) for _ in range(20)]
    assert not sounds[-1].any()
    assert steady.made_up_ms == 0, "it was a silence"
    assert steady.depth_ms == 20
    steady.put(voice(0.02))
    assert steady.take(FRAME).any()


def test_after_a_silence_it_waits_for_as_much_as_the_line_was_uneven() -> None:
    steady = Steady(RATE)
    steady.put(voice(0.1))
    for _ in range(7):
        steady.take(FRAME)
    steady.put(voice(0.06))  # 40 ms late
    steady.take(FRAME)
    assert steady.made_up_ms == 40
    assert steady.depth_ms == 60
    for _ in range(10):
        steady.take(FRAME)
    steady.put(voice(0.02))
    assert not steady.take(FRAME).any()
    assert not steady.take(FRAME).any()
    steady.put(voice(0.02))
    assert steady.take(FRAME).any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 0.18), min_size=20, max_size=300))
def test_whatever_the_line_does_frames_are_whole_and_delay_is_bounded(delays: list[float]) -> None:
    pcm = voice(len(delays) * FRAME_S)
    arrivals = list(np.maximum.accumulate([n * FRAME_S + delay for n, delay in enumerate(delays)]))
    out, queued, steady = played(pcm, arrivals)
    assert len(out) % FRAME == 0
    assert max(queued) <= 300
    assert steady.dropped_ms == 0
    assert np.median(queued[-10:]) <= 260
