"""Several ways to one answer: the first that says something useful goes on, the others are cancelled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from appliance.terms.clock import Clock
from appliance.terms.errors import EngineError

T = TypeVar("T")

RESOLUTION_S = 1e-6
"""Of clocks: what is due so soon is due."""


@dataclass(frozen=True, slots=True)
class Runner(Generic[T]):
    """`after_s`: when it starts; infinity: once all others have failed."""

    name: str
    after_s: float
    start: Callable[[], AsyncGenerator[T, None]]


@dataclass(frozen=True, slots=True)
class Begun(Generic[T]):
    """A runner at work: its first item is still to come."""

    runner: Runner[T]
    answer: AsyncGenerator[T, None]
    first: asyncio.Task[T]
    at: float


class Race(Generic[T]):
    """One answer. `lost` is told who had begun in vain, and may keep them (True); else they are cancelled."""

    def __init__(
        self, runners: Sequence[Runner[T]], clock: Clock, lost: Callable[[Begun[T]], bool] = lambda begun: False
    ) -> None:
        self._waiting = sorted(runners, key=lambda runner: runner.after_s)
        self._clock = clock
        self._lost = lost
        self._running: dict[asyncio.Task[T], Begun[T]] = {}
        self.winner: Runner[T] | None = None

    async def run(self) -> AsyncGenerator[T, None]:
        """The winner's answer. Raises the last EngineError where all have failed."""
        began = self._clock.now()
        stream: AsyncGenerator[T, None] | None = None
        try:
            while stream is None:
                self._start_due(began)
                due = self._waiting[0].after_s - (self._clock.now() - began) if self._waiting else math.inf
                timeout = None if due == math.inf else max(0.0, due)
                done, _ = await asyncio.wait(self._running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    begun = self._running.pop(task)
                    error = task.exception()
                    if error is None or isinstance(error, StopAsyncIteration):
                        self.winner, stream = begun.runner, begun.answer
                        first = None if error else task.result()
                        break
                    if not isinstance(error, EngineError) or not (self._waiting or self._running):
                        raise error
                    if self._waiting:
                        self._begin(self._waiting.pop(0))
            await self._cancel([begun for begun in self._running.values() if not self._lost(begun)])
            if first is not None:
                yield first
                async for item in stream:
                    yield item
        finally:
            await self._cancel(list(self._running.values()))
            if stream is not None:
                await stream.aclose()

    def _start_due(self, began: float) -> None:
        elapsed = self._clock.now() - began + RESOLUTION_S
        while self._waiting and (not self._running or self._waiting[0].after_s <= elapsed):
            self._begin(self._waiting.pop(0))

    def _begin(self, runner: Runner[T]) -> None:
        answer = runner.start()
        first: asyncio.Task[T] = asyncio.ensure_future(anext(answer))
        self._running[first] = Begun(runner, answer, first, self._clock.now())

    async def _cancel(self, some: Sequence[Begun[T]]) -> None:
        self._running, self._waiting = {}, []
        for begun in some:
            begun.first.cancel()
        for begun in some:
            await asyncio.wait({begun.first})
            if not begun.first.cancelled():
                begun.first.exception()
            await begun.answer.aclose()
