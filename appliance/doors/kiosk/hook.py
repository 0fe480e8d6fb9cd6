"""The owner's command, started at each change of the kiosk's state: for a light, a display, a relay."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex

from appliance.terms.errors import ConfigError

log = logging.getLogger(__name__)

WITHIN_S = 5.0


class Hook:
    """One run at a time. Where the state changes while it runs, the next run is told the last state only."""

    def __init__(self, command: str) -> None:
        """Raises ConfigError for a command that a shell could not read."""
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise ConfigError([f"kiosk.command: {error}"]) from error
        self._next: tuple[str, str] | None = None
        self._running: asyncio.Task[None] | None = None
        self._complained = ""

    def note(self, state: str, why: str) -> None:
        if not self._command:
            return
        self._next = (state, why)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="kiosk command")

    async def close(self) -> None:
        """After the last run."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=2 * WITHIN_S)

    async def _run(self) -> None:
        while self._next is not None:
            (state, why), self._next = self._next, None
            problem = await self._start(state, why)
            if problem and problem != self._complained:
                log.warning("kiosk.command: %s", problem)
            self._complained = problem

    async def _start(self, state: str, why: str) -> str:
        """What went wrong, or nothing."""
        environ = {**os.environ, "FRONTDESK_STATE": state, "FRONTDESK_WHY": why}
        nowhere = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, state, env=environ, stdin=nowhere, stdout=nowhere, stderr=nowhere
            )
        except OSError as error:
            return f"{self._command[0]}: {error.strerror}"
        try:
            async with asyncio.timeout(WITHIN_S):
                code = await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            return f"it took longer than {WITHIN_S:g} s and was stopped"
        return f"it ended with {code}" if code else ""
