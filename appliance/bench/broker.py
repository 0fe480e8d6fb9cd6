"""A real broker (Debian's mosquitto) on loopback, for benchmarks and tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.terms.errors import DeviceError

LOOPBACK = "127.0.0.1"
UP_WITHIN_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mosquitto(folder: Path, port: int, *lines: str) -> Iterator[None]:
    """With these more lines in its configuration; without any, everybody may do everything. Raises DeviceError."""
    server = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if server is None:
        raise DeviceError("mosquitto is missing", mend="Install Debian's mosquitto.")
    config = folder / f"mosquitto-{port}.conf"
    settings = (f"listener {port} {LOOPBACK}", *(lines or ("allow_anonymous true",)), "persistence false", "user root")
    config.write_text("\n".join(settings) + "\n")
    process = subprocess.Popen([server, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while not _reachable(port):
            if time.monotonic() > deadline:
                raise DeviceError(f"mosquitto does not start on port {port}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(5)


def _reachable(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=0.2).close()
    except OSError:
        return False
    return True
