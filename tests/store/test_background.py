"""Work for a disk that may be slow, full or gone."""

from __future__ import annotations

import threading
import time

import pytest

from appliance.store.background import Background
from appliance.terms.errors import DeviceError


def test_work_is_done_in_order_and_to_the_end() -> None:
    background, done = Background(), list[int]()
    background.start()
    for number in range(100):
        background.do(lambda number=number: done.append(number))  # type: ignore[misc]
    background.stop()
    assert done == list(range(100))


def test_a_disk_that_stands_still_keeps_nobody_waiting() -> None:
    background, gate = Background(most=10), threading.Event()

    def wait() -> None:
        gate.wait()

    background.start()
    began = time.perf_counter()
    for _ in range(100):
        background.do(wait)
    assert time.perf_counter() - began < 0.1
    assert background.dropped >= 89
    gate.set()
    background.stop()


def test_what_the_disk_refuses_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise DeviceError("the disk is full")

    background, done = Background(), list[int]()
    background.start()
    for work in (fail, fail, lambda: done.append(1)):
        background.do(work)
    background.stop()
    assert (background.dropped, done) == (2, [1])
    assert caplog.text.count("the disk is full") == 1
