"""`frontdesk bench calls`: what a device keeps of calls that are over. It should be nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .caller import Caller
from .device import Device, running
from .utterances import load

WARM = 10
"""The first calls fill caches; from here on, nothing may grow."""
SETTLE_S = 12.0
"""By then idle workers have given memory back."""


async def measure(folder: Path, *, count: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """One call after another, each with one question and its whole reply."""
    questions = [u for u in load(folder) if u.group == "question"]
    answered = 0
    async with running() as device:
        before: dict[str, dict[str, float]] = {}
        for number in range(1, count + 1):
            caller = Caller(device.url)
            await caller.connect()
            try:
                answered += (await caller.ask(questions[number % len(questions)])).ms is not None
            finally:
                await caller.close()
            if number in (WARM, count):
                await asyncio.sleep(SETTLE_S)
                before = before or held(device)
            tell(f"call {number} of {count}: main process {device.main_mb()} MB")
        after = held(device)
    growth = {name: _growth(before[name]["mb"], after[name]["mb"]) for name in before}
    return {
        "calls": count,
        "answered": answered,
        "growth": growth,
        "worst_growth": max(growth.values()),
        "before": before,
        "after": after,
    }


def held(device: Device) -> dict[str, dict[str, float]]:
    """Of each process: resident memory in MB, open descriptors, threads."""
    processes = {"main": device.pid, **device.workers()}
    return {name: _costs(Path(f"/proc/{pid}")) for name, pid in processes.items()}


def _costs(proc: Path) -> dict[str, float]:
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "mb": round(int(status["VmRSS"].split()[0]) * 1024 / 1e6, 1),
        "descriptors": len(list((proc / "fd").iterdir())),
        "threads": int(status["Threads"]),
    }


def _growth(before: float, after: float) -> float:
    return round(after / before - 1.0, 4)
