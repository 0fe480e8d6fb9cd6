"""How many threads are worth having."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.engines.local.threads import busy_s, candidates, fastest


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 8.0, 2: 4.0, 3: 3.0, 4: 2.5}, 4),
        ({1: 8.0, 2: 4.0, 3: 3.8, 4: 3.7}, 2),
        ({1: 4.0, 2: 5.0}, 1),
        ({1: 4.0}, 1),
    ],
)
def test_a_thread_must_be_worth_a_tenth(seconds: dict[int, float], best: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def work(count: int) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            now += seconds[count]

        return run

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert fastest(seconds, work).count == best


def test_no_more_than_there_are_cores() -> None:
    assert candidates()[0] == 1


def test_what_was_found_beside_a_busy_neighbour_is_marked() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = fastest([1], lambda count: lambda: time.sleep(0.2))
    finally:
        busy.kill()
        busy.wait()
    assert not found.alone


def test_our_own_work_is_not_the_others(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 30 9999 50 1 2 300 7 0\n")
    before, until = busy_s(stat), time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert busy_s(stat) - before == pytest.approx(-0.1, abs=0.02), "what we used is taken off"


def test_what_a_hypervisor_takes_counts(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 30 9999 50 1 2 300 7 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    before = busy_s(stat)
    stat.write_text("cpu  100 20 30 9999 50 1 2 400 7 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    assert busy_s(stat) - before == pytest.approx(1.0, abs=0.1)
