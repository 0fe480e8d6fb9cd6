"""What each engine found best for itself at its first start on this machine: how many threads, which weights."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASURED = 0
"""As an engine's number of threads: try it out."""
CPU_INFO = Path("/proc/cpuinfo")


class Tuning:
    """Kept in a file; of another processor, another number of cores or another model, not used."""

    def __init__(self, state: Path) -> None:
        self._file = state / "tuning.json"
        self._machine = f"{_processor()}, {len(os.sched_getaffinity(0))} cores"
        self._kept = self._read()

    def threads(self, engine: str, model: str, owner: int) -> int:
        """For an engine's option: `owner`, what he asks for; else what is known; else MEASURED."""
        known = self._kept.get(f"{engine} {model}", {}).get("threads")
        return owner or (known if isinstance(known, int) and 0 < known <= 64 else MEASURED)

    def requantise(self, model: str, owner: str) -> str:
        """For the language model's option: not again where it was found to be of no use."""
        return "off" if self._kept.get(f"llm {model}", {}).get("requantise") == "off" else owner

    def keep(self, engine: str, model: str, facts: Mapping[str, Any]) -> None:
        """An engine has started. What it found while others used the processor is not to be believed, nor kept.

        A disk that is full or read-only only costs the next start its time.
        """
        if not facts.get("alone", True):
            return
        self._kept[f"{engine} {model}"] = {name: facts[name] for name in ("threads", "requantise") if name in facts}
        part = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps({"machine": self._machine, "engines": self._kept}, indent=1), encoding="utf-8")
            part.replace(self._file)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(kept, dict) and kept["machine"] == self._machine:
                return {str(name): dict(found) for name, found in kept["engines"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # a damaged file only costs this start its time
        return {}


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.machine()
