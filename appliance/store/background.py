"""Work for the disk, done in order by a thread of its own: nobody who has to do with a call waits for a disk."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from appliance.terms.errors import DeviceError

log = logging.getLogger(__name__)

MOST_JOBS = 5000
COMPLAIN_EVERY_S = 60.0
STOP_WITHIN_S = 3.0


class Background:
    """`do` from any thread, never blocking. What the disk refuses is not done, and told now and then in the log."""

    def __init__(self, *, most: int = MOST_JOBS) -> None:
        self.dropped = 0
        """Work that was not done: the disk is full, or stands still."""
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(most)
        self._complained_at = -COMPLAIN_EVERY_S
        self._thread = threading.Thread(target=self._work, name="disk", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, work: Callable[[], None]) -> None:
        """Raises nothing; `work` may raise DeviceError."""
        try:
            self._jobs.put_nowait(work)
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Finish what was handed over, if the disk does so soon."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._jobs.put(None, timeout=STOP_WITHIN_S)
            self._thread.join(STOP_WITHIN_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # a thread's boundary: one job's bug must not end all that follow
                self.dropped += 1
                if time.monotonic() - self._complained_at > COMPLAIN_EVERY_S:
                    self._complained_at = time.monotonic()
                    log.error("%s", error, exc_info=None if isinstance(error, DeviceError) else error)
