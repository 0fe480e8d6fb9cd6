"""What is kept of the caller's voice."""

from __future__ import annotations

import numpy as np

from appliance.flow.capture import PREROLL_FRAMES, Capture
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_SAMPLES


def feed(capture: Capture, *numbers: int) -> None:
    for number in numbers:
        capture.feed(Frame(pcm=np.full(FRAME_SAMPLES, number, np.int16), at=number * 0.02))


def kept(capture: Capture) -> list[int]:
    return [int(frame[0]) for frame in capture.pcm().reshape(-1, FRAME_SAMPLES)]


def test_a_turn_holds_what_came_just_before_it_and_all_of_itself() -> None:
    capture = Capture(60.0)
    feed(capture, *range(100))
    capture.begin()
    feed(capture, *range(100, 150))
    assert kept(capture) == list(range(100 - PREROLL_FRAMES, 150))
    capture.end()
    assert kept(capture) == list(range(150 - PREROLL_FRAMES, 150))


def test_a_turn_is_bounded_and_keeps_its_end() -> None:
    capture = Capture(1.0)
    capture.begin()
    feed(capture, *range(80))
    assert kept(capture) == list(range(30, 80))


def test_nothing_heard_is_nothing_kept() -> None:
    assert len(Capture(1.0).pcm()) == 0
