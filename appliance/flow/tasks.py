"""The tasks of one call: none outlives it, and what goes wrong in one is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from appliance.terms.errors import EngineError


class Tasks:
    """`failed` is told what a task raised that nobody awaits: a bug of ours."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel them all, and wait for them."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)


async def if_it_can(work: Coroutine[Any, Any, None]) -> None:
    """For the language model, in advance: it reads what a reply needs anyway, only later."""
    with suppress(EngineError):
        await work
