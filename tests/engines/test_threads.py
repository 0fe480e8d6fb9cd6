"""How many threads are worth having."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from appliance.engines.local.threads import candidates, fastest


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
    assert fastest(seconds, work) == best


def test_no_more_than_there_are_cores() -> None:
    assert candidates()[0] == 1
