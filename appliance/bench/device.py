"""A device under test: `frontdesk run` as a process of its own, with what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.terms.errors import EngineDown

from .quota import held_to

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 20.0
READY = "Frontdesk is ready: "
WELCOME = "Phones and other computers on this network: "
APART = {
    "FRONTDESK_HTTP__PORT": "0",
    "FRONTDESK_HTTP__HOST": "127.0.0.1",
    "FRONTDESK_TELEMETRY__CALLS_DAYS": "0",
    "FRONTDESK_TELEMETRY__JOURNAL_MB": "0",
}
"""Its calls are nobody's, and not to be found among the owner's."""
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    url: str
    pid: int
    ready_s: float
    """From the process's start to its first answered call."""
    welcome: str = ""
    """The page without TLS that leads to `url`, where there is one."""

    def main_mb(self) -> float:
        """Resident memory of the main process, in MB (10⁶ bytes)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    async def cpu_share(self, seconds: float) -> float:
        """What it and its workers take of one core over so many seconds (0.02 = 2 %)."""
        before = self._cpu_s()
        await asyncio.sleep(seconds)
        return round((self._cpu_s() - before) / seconds, 4)

    def workers(self) -> dict[str, int]:
        """The pids of its worker processes by engine."""
        found: dict[str, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                text = path.read_text()
                name, fields = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
                if int(fields[1]) == self.pid and name.startswith("frontdesk-"):
                    found[name.removeprefix("frontdesk-")] = int(text.split(" ", 1)[0])
        return found

    def _cpu_s(self) -> float:
        total = 0.0
        for pid in (self.pid, *self.workers().values()):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) * TICK_S
        return total


@contextlib.asynccontextmanager
async def running(
    environ: dict[str, str] | None = None,
    config: Path | None = None,
    cores: float | None = None,
    prefix: tuple[str, ...] = (),
) -> AsyncIterator[Device]:
    """A device on a free port of loopback, until the block ends; with `cores` (below 1) on that share of one core, with
    a `prefix` as that command runs it.

    Raises EngineDown where it does not get ready, DeviceError where it cannot be held to `cores`.
    """
    async with contextlib.AsyncExitStack() as stack:
        hold = stack.enter_context(held_to(cores)) if cores is not None else None
        yield await stack.enter_async_context(_running(environ or {}, config, hold, prefix))


@contextlib.asynccontextmanager
async def _running(
    environ: dict[str, str], config: Path | None, hold: Callable[[int], None] | None, prefix: tuple[str, ...]
) -> AsyncIterator[Device]:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-m", "appliance.app.cli", "run", *(("--config", str(config)) if config else ())),
        env={**os.environ, **APART, **environ},
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    if hold is not None:
        hold(process.pid)
    assert process.stdout is not None
    reading: asyncio.Task[bytes] | None = None
    try:
        url = await _ready(process.stdout)
        welcome = ""
        if url.startswith("https:"):
            welcome = (await process.stdout.readline()).decode().removeprefix(WELCOME).strip()
        ready_s = round(time.monotonic() - began, 2)
        reading = asyncio.create_task(process.stdout.read())  # else the pipe fills up
        yield Device(url=url, pid=process.pid, ready_s=ready_s, welcome=welcome)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if reading is not None:
            await reading


async def _ready(stdout: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while line := (await stdout.readline()).decode():
                if line.startswith(READY):
                    return line.removeprefix(READY).strip()
    except TimeoutError:
        pass
    raise EngineDown("the device did not get ready", mend="Try `frontdesk check`, then `frontdesk run --verbose`.")
