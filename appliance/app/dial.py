"""`frontdesk dial`: the running device calls somebody; this follows the call to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import running

POLL_S = 0.5


async def dial(config: Path | None, to: str, say: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """The call as it was. `tell` is given a line for each step. Raises BadInput or DeviceError."""
    call = (await running.post(config, "api/calls", {"to": to, "say": say}))["call"]
    placed, turns = "", 0
    try:
        while True:
            found = await running.get(config, f"api/calls/{quote(call, safe='')}")
            if found["placed"] != placed:
                placed = found["placed"]
                tell(": ".join(filter(None, (placed, found["why"]))))
            for turn in found["turn_events"][turns:]:
                tell(f"heard:  {turn['transcript']}")
                tell(f"reply:  {turn['reply']}")
            turns = len(found["turn_events"])
            if found["state"] == "ended":
                return found
            await asyncio.sleep(POLL_S)
    except asyncio.CancelledError:
        await running.post(config, f"api/calls/{quote(call, safe='')}/hangup", {})
        raise
