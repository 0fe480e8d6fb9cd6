"""An event loop whose time jumps to whatever is due next: a conversation of minutes is tested in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class WarpLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._warp = _Selector()
        super().__init__(self._warp)

    def time(self) -> float:
        return self._warp.now


class LoopClock:
    """The running loop's time, for what takes a Clock."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)


def warped(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own, in virtual time."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(work)
