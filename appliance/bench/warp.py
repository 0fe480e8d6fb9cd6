"""An event loop whose time jumps to whatever is due next: a conversation of minutes takes as long as its work does."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.still = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        due = timeout is not None and timeout <= 0
        ready = super().select(0 if due or (timeout is not None and not self.still) else None)
        if not ready and timeout is not None and not due:
            self.now += timeout
        return ready


class WarpLoop(asyncio.SelectorEventLoop):
    """`time` is its own: it begins at 1000 s and moves only while nothing is being done."""

    def __init__(self) -> None:
        self._warp = _Selector()
        super().__init__(self._warp)

    def time(self) -> float:
        return self._warp.now

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Real work is under way elsewhere: no time passes meanwhile."""
        self._warp.still += 1
        try:
            yield
        finally:
            self._warp.still -= 1


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
