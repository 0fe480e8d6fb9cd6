"""`frontdesk bench overlap`: what becomes of a reply when its caller interrupts, murmurs, coughs or makes a noise."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from appliance.terms.errors import EngineError

from .caller import OVER
from .device import running
from .utterances import load

QUESTION = "open"
"""Its reply is long."""
GROUPS = ("barge", "murmur")


async def measure(folder: Path, *, url: str | None) -> dict[str, Any]:
    """Each sound of the groups over one reply, in one call a group."""
    sounds = {group: [u.id for u in load(folder) if u.group == group] for group in GROUPS}
    rows: list[dict[str, Any]] = []
    async with running() as device:
        for group, ids in sounds.items():
            for row in await _call(url or device.url, folder, ids):
                rows.append({"group": group, **row})
    return {**summary(rows), "rows": rows}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`barge_in`: interruptions, how many silenced the reply, how soon; `murmurs`: how many cost the reply."""
    barges = [row for row in rows if row["group"] == "barge"]
    murmurs = [row for row in rows if row["group"] == "murmur"]
    silent = np.array([row["silent_ms"] for row in barges if row["silent_ms"] is not None] or [np.nan])
    device = np.array([row["turn"]["barge_in_ms"] for row in barges if row["turn"].get("barge_in_ms")] or [np.nan])
    return {
        "barge_in": len(barges),
        "silenced": sum(row["interrupted"] for row in barges),
        "silent_p50_ms": round(float(np.percentile(silent, 50)), 1),
        "silent_p95_ms": round(float(np.percentile(silent, 95)), 1),
        "device_silent_p50_ms": round(float(np.percentile(device, 50)), 1),
        "murmurs": len(murmurs),
        "replies_lost": sum(row["interrupted"] for row in murmurs),
        "lost_share": round(sum(row["interrupted"] for row in murmurs) / max(1, len(murmurs)), 3),
    }


async def _call(url: str, folder: Path, ids: list[str]) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance.bench.caller", url, str(folder), f"{OVER}{QUESTION}", *ids),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise EngineError(f"a caller failed with exit code {process.returncode}")
    rows: list[dict[str, Any]] = json.loads(output)["over"]
    return rows
