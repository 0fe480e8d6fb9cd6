"""`frontdesk bench survive`: what a caller notices when a worker dies, freezes or runs out of memory in a call."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .caller import Asked, Caller
from .device import Device, running
from .utterances import Utterance, load

ENGINES = ("stt", "llm", "tts", "sense")
QUESTIONS = ("manager", "wifi", "bus", "price", "day-pass")
"""Their replies repeat nothing, so that a clause that comes twice was spoken twice."""
WITHIN_S = 4.0
"""The blow falls at some moment from the question's first sound to the middle of its reply."""
BACK_WITHIN_S = 15.0


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def starve(pid: int) -> None:
    """Its next allocation from the system fails."""
    resource.prlimit(pid, resource.RLIMIT_AS, (1, 1))


BLOWS: dict[str, Callable[[int], None]] = {"kill": kill, "freeze": freeze, "starve": starve}


async def measure(folder: Path, *, times: int, how: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """Each engine is struck so many times while one caller asks; after each blow, one more question."""
    utterances = {u.id: u for u in load(folder)}
    questions = [utterances[name] for name in QUESTIONS]
    chance = random.Random(1)
    rows: list[dict[str, Any]] = []
    async with running() as device:
        for engine in ENGINES:
            caller = Caller(device.url)
            await caller.connect()
            try:
                await caller.hear_greeting()
                for i in range(times):
                    asked = [questions[(2 * i + k) % len(questions)] for k in range(2)]
                    row = await _strike(device, caller, engine, BLOWS[how], asked, chance.uniform(0.0, WITHIN_S))
                    rows.append(row)
                    tell(f"{engine} {i + 1} of {times}: then {row['during_ms']} ms, next {row['next_ms']} ms")
            finally:
                await caller.close()
    return {"how": how, **summary(rows), "rows": rows}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`lost`: calls that ended; `late`: next turns not answered within 10 s; `twice`: replies that repeat a clause."""
    following = np.array([row["next_ms"] for row in rows if row["next_ms"] is not None] or [np.nan])
    return {
        "blows": len(rows),
        "lost": sum(row["lost"] for row in rows),
        "late": sum(row["next_ms"] is None or row["next_ms"] > 10_000 for row in rows),
        "twice": sum(row["twice"] for row in rows),
        "unanswered_during": sum(row["during_ms"] is None for row in rows),
        "apologies": sum(row["apology"] for row in rows),
        "next_p50_ms": round(float(np.median(following)), 1),
        "next_max_ms": round(float(following.max()), 1),
    }


async def _strike(
    device: Device, caller: Caller, engine: str, blow: Callable[[int], None], asked: list[Utterance], after_s: float
) -> dict[str, Any]:
    asking = asyncio.create_task(caller.ask(asked[0]))
    await asyncio.sleep(after_s)
    if (pid := device.workers().get(engine)) is not None:
        blow(pid)
    during: Asked = await asking
    following = await caller.ask(asked[1])
    row = {
        "engine": engine,
        "after_s": round(after_s, 2),
        "struck": pid is not None,
        "during_ms": during.ms,
        "next_ms": following.ms,
        "apology": during.apology,
        "twice": during.repeats or following.repeats,
        "lost": caller.ended,
    }
    for _ in range(int(BACK_WITHIN_S / 0.1)):  # the next blow needs a worker to strike
        if engine in device.workers():
            break
        await asyncio.sleep(0.1)
    return row
