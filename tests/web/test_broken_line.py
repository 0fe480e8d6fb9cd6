"""A call in a real browser whose network goes away: for ten seconds, and for longer than either end waits."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from appliance.bench.device import running
from appliance.bench.wire import FAR, NEAR, Impairment, Wire, wire
from appliance.flow.phrases import BACK

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

LINE = Impairment(delay_ms=20, jitter_ms=3)
DOWN = Impairment(down=True)
BRIEFLY_S = 10.0
LONG_S = 25.0


class Shown:
    """What the page shows, as it changes."""

    def __init__(self, stdout: asyncio.StreamReader) -> None:
        self._stdout = stdout
        self.now: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []

    async def until(self, condition: Callable[[dict[str, Any]], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not (self.now and condition(self.now)):
                line = await self._stdout.readline()
                assert line, f"the browser is gone; it showed {self.seen[-3:]}"
                self.now = json.loads(line)
                self.seen.append(self.now)


@asynccontextmanager
async def calling(between: Wire, url: str) -> AsyncIterator[Shown]:
    process = await asyncio.create_subprocess_exec(
        *between.at(NEAR, sys.executable, "-m", "tests.web.caller_behind_wire", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Shown(process.stdout)
    finally:
        process.stdin.close()
        await process.wait()


async def test_a_call_survives_its_network() -> None:
    async with wire(LINE) as between:
        device = running({"FRONTDESK_HTTP__HOST": FAR, "FRONTDESK_TURNS__SILENCE_S": "0"}, prefix=between.at(FAR))
        async with device as far, calling(between, far.url) as page:
            await page.until(lambda shown: shown["phase"] == "call" and "help you" in shown["words"], 30)
            call = page.now["call"]

            between.change(DOWN)
            await asyncio.sleep(BRIEFLY_S)
            between.change(LINE)
            await page.until(lambda shown: bool(shown["notice"]), 10)
            await page.until(lambda shown: not shown["notice"], 15)
            assert (page.now["phase"], page.now["call"]) == ("call", call)

            between.change(DOWN)
            await asyncio.sleep(LONG_S)
            between.change(LINE)
            await page.until(lambda shown: BACK in shown["words"], 30)
            assert (page.now["phase"], page.now["call"]) == ("call", call)
            notices = {shown["notice"] for shown in page.seen}
            assert notices >= {"The line is weak. Please hold on.", "The line broke. Calling again …"}
