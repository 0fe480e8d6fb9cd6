"""How many threads an engine works best with on this machine: tried out, where nobody has said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

CANDIDATES = (1, 2, 3, 4, 6, 8)
RUNS = 3
WORTH = 0.9
"""One more thread must save a tenth: else it is better left to the other engines."""


def candidates() -> list[int]:
    """Those of CANDIDATES that this process may use cores for."""
    return [n for n in CANDIDATES if n <= len(os.sched_getaffinity(0))]


def fastest(counts: Iterable[int], prepare: Callable[[int], Callable[[], object]]) -> int:
    """The number of threads worth having. `prepare` makes, for a number, the piece of work that is timed."""
    chosen, best = 1, 0.0
    for count in counts:
        took = _time(prepare(count))
        if not best or took < WORTH * best:
            chosen, best = count, took
    return chosen


def _time(work: Callable[[], object]) -> float:
    """Seconds, of the quickest run after a first one that warms up."""
    work()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
