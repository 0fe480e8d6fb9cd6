"""What systemd wants to hear of a service: `sd_notify(3)`, and a watchdog that is fed by progress."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


class Systemd:
    """Silent where there is no systemd to listen (no `NOTIFY_SOCKET`)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if watched else 0.0
        """How long it waits for a sign of progress; 0 where it does not."""

    def tell(self, *assignments: str) -> None:
        """`READY=1`, `STATUS=…`, `STOPPING=1`, `WATCHDOG=1`."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            log.warning("systemd does not listen: %s", error)

    async def feed(self, standing_still: Callable[[], list[str]]) -> None:
        """Feed the watchdog for as long as nothing stands still; never returns.

        That this runs is the event loop's progress; `standing_still` names what else has none.
        """
        while self.watchdog_s:
            await asyncio.sleep(self.watchdog_s / 4)
            if still := standing_still():
                log.error("standing still: %s", ", ".join(still))
            else:
                self.tell("WATCHDOG=1")
