"""`frontdesk bench turn`: end of speech → reply, heard from outside over WebRTC on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from .caller import BROKEN_S, Caller, separately
from .device import Device, running
from .utterances import Utterance, load

IDLE_S = 10.0
TURNS = ("question", "breath", "spelled", "human")
"""Groups of whole turns; the others are said over a reply (`bench overlap`)."""
STAGGER_S = 1.7
"""Callers start this far apart, so that they do not ask in step."""


async def measure(
    folder: Path, *, callers: int, group: str, url: str | None, cores: float | None = None
) -> dict[str, Any]:
    """Every caller asks every utterance of the group, each from another starting point.

    Without `url`, a device is started for it, on `cores` of a core where that is given, and its own costs are measured
    before the calls.
    """
    wanted = TURNS if group == "all" else (group,)
    utterances = [u for u in load(folder) if u.group in wanted]
    async with contextlib.AsyncExitStack() as stack:
        costs: dict[str, Any] = {}
        if url is None:
            device = await stack.enter_async_context(running(cores=cores))
            url = device.url
            idle = await device.cpu_share(IDLE_S)
            costs = {"device": {"ready_s": device.ready_s, "idle_cpu": idle, "main_mb": device.main_mb()}}
            costs["device"]["silent_call_cpu"] = await _silent_call(device)
        calls = [_call(url, folder, _rotated(utterances, i, callers), i * STAGGER_S) for i in range(callers)]
        asked = [row for rows in await asyncio.gather(*calls) for row in rows]
    return {"callers": callers, **summary(asked), **costs, "rows": asked}


def summary(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of all rows; times are ms, medians and 95th percentiles over the answered ones."""
    answered = [row for row in asked if row["ms"] is not None]
    times = np.array([row["ms"] for row in answered] or [np.nan])
    turns = [row["turn"] for row in answered]
    wasted, written = (sum(turn[key] for turn in turns) for key in ("wasted_tokens", "llm_tokens"))
    parts = ("e2a_ms", "endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")
    return {
        "asked": len(asked),
        "answered": len(answered),
        "p50_ms": _round(np.percentile(times, 50)),
        "p95_ms": _round(np.percentile(times, 95)),
        "max_ms": _round(times.max()),
        "cut_in": sum(row["cut_in"] for row in asked),
        "broken": sum(row["longest_gap_ms"] > BROKEN_S * 1000 for row in asked),
        "fillers": sum(row["filler"] for row in asked),
        "right": sum(row["right"] for row in asked),
        "speculations": sum(turn["speculations"] for turn in turns),
        "wasted_share": round(wasted / max(1, wasted + written), 3),
        "parts_off_ms": _round(max((_parts_off(turn) for turn in turns), default=np.nan)),
        "outside_ms": [_round(np.percentile(_outside(answered), share)) for share in (5, 50, 95)],
        "device_p50_ms": {part: _round(np.median([turn[part] for turn in turns] or [np.nan])) for part in parts},
    }


def _parts_off(turn: dict[str, Any]) -> float:
    """How far the parts of a turn are from its whole."""
    parts = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")
    return abs(float(sum(turn[part] for part in parts) - turn["e2a_ms"]))


def _outside(answered: list[dict[str, Any]]) -> list[float]:
    """What a caller waits longer than the device says: the way there and back, in media."""
    return [row["ms"] - row["turn"]["e2a_ms"] for row in answered] or [np.nan]


async def _silent_call(device: Device) -> float:
    """What a call costs in which nobody speaks, of a core."""
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        return await device.cpu_share(IDLE_S)
    finally:
        await caller.close()


async def _call(url: str, folder: Path, utterances: list[Utterance], delay_s: float) -> list[dict[str, Any]]:
    await asyncio.sleep(delay_s)
    rows: list[dict[str, Any]] = (await separately(url, folder, (u.id for u in utterances)))["asked"]
    return rows


def _rotated(utterances: list[Utterance], index: int, callers: int) -> list[Utterance]:
    start = index * len(utterances) // callers
    return utterances[start:] + utterances[:start]


def _round(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 1)
