"""How many threads an engine works best with on this machine: tried out, where nobody has said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CANDIDATES = (1, 2, 3, 4, 6, 8)
RUNS = 5
WORTH = 0.9
"""One more thread must save a tenth: else it is better left to the other engines."""
ALONE = 0.15
"""Who else keeps more of a core than this busy makes a second thread look useless."""
STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Threads:
    """How many were found best; `alone`: with the machine to ourselves, so that it is worth keeping."""

    count: int
    alone: bool = True

    @property
    def facts(self) -> Mapping[str, int | bool]:
        """As a worker tells them."""
        return {"threads": self.count, "alone": self.alone}


def candidates() -> list[int]:
    """Those of CANDIDATES that this process may use cores for."""
    return [n for n in CANDIDATES if n <= len(os.sched_getaffinity(0))]


def fastest(counts: Iterable[int], prepare: Callable[[int], Callable[[], object]]) -> Threads:
    """The number of threads worth having. `prepare` makes, for a number, the piece of work that is timed."""
    others = Others()
    chosen, best = 1, 0.0
    for count in counts:
        took = _time(prepare(count))
        if not best or took < WORTH * best:
            chosen, best = count, took
    return Threads(chosen, alone=others.cores() <= ALONE)


@dataclass(slots=True)
class Others:
    """The processor time that all but this process use, from now on."""

    began: float = field(default_factory=time.perf_counter)
    busy: float = field(default_factory=lambda: busy_s())

    def cores(self) -> float:
        """On average so many cores; a virtual machine's neighbours count where the kernel knows of them."""
        wall = time.perf_counter() - self.began
        return (busy_s() - self.busy) / wall if wall else 0.0


def busy_s(stat: Path = STAT) -> float:
    """The seconds that the cores were busy, or taken away, since they started, but for this process."""
    user, nice, system, _, _, *rest = map(int, stat.read_text(encoding="ascii").splitlines()[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK") - time.process_time()


def _time(work: Callable[[], object]) -> float:
    """Seconds, of the quickest run after a first one that warms up."""
    work()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
