"""A real broker (mosquitto) on loopback, and somebody who listens to all it has."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

LOOPBACK = "127.0.0.1"
SERVER = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mosquitto(folder: Path, port: int, *lines: str) -> Iterator[None]:
    """With these more lines in its configuration; without any, everybody may do everything."""
    config = folder / f"mosquitto-{port}.conf"
    settings = (f"listener {port} {LOOPBACK}", *(lines or ("allow_anonymous true",)), "persistence false", "user root")
    config.write_text("\n".join(settings) + "\n")
    process = subprocess.Popen([SERVER, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _reachable(port))
        yield
    finally:
        process.terminate()
        process.wait(5)


class Subscriber:
    """Keeps what comes: `(topic without the device's base, payload, retained)`, in order."""

    def __init__(self, port: int, base: str = "frontdesk/v1/#", **credentials: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if credentials:
            self._client.username_pw_set(**credentials)
        self._client.on_message = lambda client, data, message: self.messages.append(
            (message.topic.split("/", 3)[-1], bytes(message.payload), message.retain)
        )
        self._client.connect(LOOPBACK, port)
        self._client.subscribe(base, qos=1)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def events(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for name, payload, _ in self.messages if name == topic]

    def named(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.messages if name == topic.split("/", 3)[-1]]

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain)

    def last(self, topic: str) -> bytes:
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), b"")


@contextlib.contextmanager
def subscriber(port: int, **options: str) -> Iterator[Subscriber]:
    found = Subscriber(port, **options)
    try:
        yield found
    finally:
        found.close()


def until(done: Callable[[], object], within_s: float = 10.0) -> None:
    """Raises AssertionError."""
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def _reachable(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=0.2).close()
    except OSError:
        return False
    return True
