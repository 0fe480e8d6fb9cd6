"""A process that is slow, though nothing else runs: it sleeps most of the time."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

PERIOD_S = 0.04


@contextlib.contextmanager
def slowed(pid: int, times: float) -> Iterator[None]:
    """It takes so many times as long: it is stopped (SIGSTOP) for the rest of every 40 ms. One that dies is left."""
    ended = threading.Event()

    def keep() -> None:
        with contextlib.suppress(ProcessLookupError):
            while not ended.is_set():
                os.kill(pid, signal.SIGSTOP)
                ended.wait(PERIOD_S * (1 - 1 / times))
                os.kill(pid, signal.SIGCONT)
                ended.wait(PERIOD_S / times)

    thread = threading.Thread(target=keep, name="slowed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
