"""Somebody who listens to all that a broker has."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from appliance.bench.broker import LOOPBACK


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
