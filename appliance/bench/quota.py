"""Less processor than the machine has: a control group that holds a process and its children to a share of one core."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.terms.errors import DeviceError

PERIOD_US = 100_000
ROOT = Path("/sys/fs/cgroup")
LEFT_WITHIN_S = 5.0


@contextlib.contextmanager
def held_to(share: float) -> Iterator[Callable[[int], None]]:
    """Gives what puts a process, by its pid, under the quota: `share` of one core (0.5 = half of it).

    Raises DeviceError where that is not allowed: it needs root and a cgroup with the cpu controller.
    """
    old = (ROOT / "cpu" / "cpu.cfs_quota_us").exists()  # version 1 of the interface
    folder = (ROOT / "cpu" if old else ROOT) / f"frontdesk-bench-{os.getpid()}"
    quota = round(share * PERIOD_US)
    try:
        folder.mkdir()
        if old:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")
    except OSError as error:
        raise DeviceError(f"no quota: {error}", mend="Run it as root, where cgroups can be written.") from error

    def hold(pid: int) -> None:
        (folder / "cgroup.procs").write_text(str(pid))
        os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})

    try:
        yield hold
    finally:
        until = time.monotonic() + LEFT_WITHIN_S
        while (folder / "cgroup.procs").read_text().strip() and time.monotonic() < until:
            time.sleep(0.05)
        folder.rmdir()
