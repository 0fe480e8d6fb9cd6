"""How many threads each engine gets: as the owner says, else as it found best at its first start here."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

MEASURED = 0
"""As an engine's option: try it out."""
CPU_INFO = Path("/proc/cpuinfo")


class Tuning:
    """What was measured, kept in a file; of another processor, another number of cores or another model, not used."""

    def __init__(self, state: Path) -> None:
        self._file = state / "threads.json"
        self._machine = f"{_processor()}, {len(os.sched_getaffinity(0))} cores"
        self._kept = self._read()

    def threads(self, engine: str, model: str, owner: int) -> int:
        """For an engine's option: `owner`, what he asks for; else what is known; else MEASURED."""
        return owner or self._kept.get(f"{engine} {model}", MEASURED)

    def keep(self, engine: str, model: str, threads: int) -> None:
        """An engine has found it. A disk that is full or read-only only costs the next start its time."""
        self._kept[f"{engine} {model}"] = threads
        part = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps({"machine": self._machine, "threads": self._kept}), encoding="utf-8")
            part.replace(self._file)

    def _read(self) -> dict[str, int]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(kept, Mapping) and kept["machine"] == self._machine:
                return {str(name): int(count) for name, count in kept["threads"].items() if 0 < int(count) <= 64}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # a damaged file only costs this start its time
        return {}


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.machine()
