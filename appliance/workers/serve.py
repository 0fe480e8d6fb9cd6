"""The worker process: `python -m appliance.workers.serve NAME MODULE:CLASS FD`.

Reads the engine's options from the socket FD, builds the engine (which loads and warms its model), says READY and
serves until the parent closes the socket or dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from .mailbox import Mailbox
from .wire import Kind

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


class Engine(Protocol):
    """What a worker runs. Its constructor takes the options of HELLO as keywords."""

    facts: Mapping[str, Any]
    """What the parent should know once it is ready (a voice's rate, …)."""

    def serve(self, mailbox: Mailbox) -> None:
        """Answer requests until EOFError."""


def main() -> int:
    name, entry, descriptor = sys.argv[1:4]
    _die_with_parent(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mailbox = Mailbox(socket.socket(fileno=int(descriptor)))
    try:
        options = mailbox.hello()
        module, _, attribute = entry.partition(":")
        engine: Engine = getattr(importlib.import_module(module), attribute)(**options)
    except EOFError:
        return 0
    except Exception as error:  # noqa: BLE001 - a supervisor's boundary: whatever stops an engine from loading is told to the parent
        mailbox.announce(Kind.FAILED, {"error": f"{type(error).__name__}: {error}"})
        return 1
    mailbox.start()
    mailbox.announce(Kind.READY, engine.facts)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent is gone; so are we
        engine.serve(mailbox)
    return 0


def _die_with_parent(name: str) -> None:
    """Linux kills this process when the parent dies, even by SIGKILL, and `ps` and `top` show the engine's name."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NAME, f"frontdesk-{name}".encode()[:15], 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
