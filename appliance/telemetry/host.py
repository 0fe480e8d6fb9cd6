"""How the computer stands: load, memory, disk, temperature; what a computer does not tell is null."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

STAT = Path("/proc/stat")
THERMAL = Path("/sys/class/thermal")
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
"""Of a Raspberry Pi: bits of under-voltage and throttling, since it started and now."""


class Host:
    """`state`: the folder whose disk counts."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._cpu = _ticks()

    def measure(self) -> dict[str, Any]:
        """As JSON values. Reads files; `cpu` is the share of all cores that was busy since the last time."""
        memory, before, self._cpu = _memory(), self._cpu, _ticks()
        busy, whole = (after - was for was, after in zip(before, self._cpu, strict=True))
        return {
            "cpu": round(busy / whole, 3) if whole else None,
            "load_1m": round(os.getloadavg()[0], 2),
            "cores": os.cpu_count(),
            "memory_free_mb": memory.get("MemAvailable"),
            "memory_mb": memory.get("MemTotal"),
            "disk_free_mb": shutil.disk_usage(self._state).free // 1_000_000,
            "temperature_c": _temperature(),
            "throttled": _throttled(),
        }


def _ticks() -> tuple[int, int]:
    """Busy, and in all, since the computer started: the first line of /proc/stat (proc(5))."""
    user, nice, system, idle, iowait, *rest = map(int, STAT.read_text().split("\n", 1)[0].split()[1:9])
    busy = user + nice + system + sum(rest)
    return busy, busy + idle + iowait


def _memory() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 // 1_000_000 for words in lines if len(words) > 1}


def _temperature() -> float | None:
    """The hottest of its zones."""
    found = []
    for zone in THERMAL.glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            found.append(int(zone.read_text()) / 1000)
    return round(max(found), 1) if found else None


def _throttled() -> bool | None:
    with suppress(OSError, ValueError):
        return bool(int(THROTTLED.read_text(), 16) & 0xF)
    return None
