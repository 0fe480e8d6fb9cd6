"""`frontdesk bench overlap`: what becomes of a reply when its caller interrupts, murmurs, coughs or makes a noise."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np

from .caller import OVER, separately
from .device import running
from .utterances import load

QUESTION = "open"
"""Its reply is long."""
GROUPS = ("barge", "murmur")


async def measure(folder: Path, *, url: str | None) -> dict[str, Any]:
    """Each sound of the groups over one reply, in one call a group."""
    sounds = {group: [u.id for u in load(folder) if u.group == group] for group in GROUPS}
    rows: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        address = url or (await stack.enter_async_context(running())).url
        for group, ids in sounds.items():
            found = await separately(address, folder, (f"{OVER}{QUESTION}", *ids))
            for row in found["over"]:
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
