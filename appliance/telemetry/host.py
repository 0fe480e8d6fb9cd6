"""How the computer stands: load, memory, disk, temperature; what a computer does not tell is null."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

THERMAL = Path("/sys/class/thermal")
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
"""Of a Raspberry Pi: bits of under-voltage and throttling, since it started and now."""


def host(state: Path) -> dict[str, Any]:
    """As JSON values; `state` is the folder whose disk counts."""
    memory = _memory()
    return {
        "load_1m": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count(),
        "memory_free_mb": memory.get("MemAvailable"),
        "memory_mb": memory.get("MemTotal"),
        "disk_free_mb": shutil.disk_usage(state).free // 1_000_000,
        "temperature_c": _temperature(),
        "throttled": _throttled(),
    }


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
