"""Telemetry over MQTT 5: every turn, call and alert leaves the device once it can, and is kept until it has.

Topics are under `frontdesk/v1/<device>` (docs/telemetry.md). The event loop only puts events into a bounded queue. A
thread does the rest: it publishes them, keeps them in the outbox until the broker has acknowledged them, and after an
outage sends what is left, in order, beside what happens now.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from appliance.store.outbox import Item, Outbox
from appliance.terms.config import MqttConfig
from appliance.terms.errors import ConfigError, DeviceError

from .homeassistant import BIRTH, discovery, discovery_topic

log = logging.getLogger(__name__)

BASE = "frontdesk/v1"
PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
KEEPALIVE_S = 20
RECONNECT_S = (1, 60)
HISTORY_S = 0.05
"""So far apart old events are sent: at most 20 a second."""
MOST_FLYING = 100
"""Live events that the broker has not acknowledged; more wait in the outbox, and are history."""
MOST_JOBS = 5000
MOST_COMMAND = 100_000
BATCH = 200
STOP_WITHIN_S = 3.0
PROBE_WITHIN_S = 5.0
COMPLAIN_EVERY_S = 60.0
DESIRED, REPORTED = "config/desired", "config/reported"
ONLINE, OFFLINE = b"online", b"offline"
BRIEF_S, SUSPICIOUS = 10.0, 3
"""A broker that leaves us again and again so soon has somebody else by our name: each takes the other's place."""
SESSION_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where it is, from `mqtt.url`. `path`: of a WebSocket."""

    host: str
    port: int
    secure: bool
    websocket: bool
    path: str


def broker(config: MqttConfig) -> Broker:
    """Raises ConfigError."""
    parts = urlsplit(config.url)
    try:
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        kinds = ", ".join(f"{scheme}://" for scheme in PORTS)
        raise ConfigError([f"mqtt.url: {parts.scheme}://… is none of {kinds}, or its port is no number"]) from None
    if not parts.hostname or parts.username or parts.password:
        raise ConfigError(["mqtt.url: it must name a host, and no user: see mqtt.username and mqtt.password"])
    return Broker(
        host=parts.hostname,
        port=port,
        secure=parts.scheme in ("mqtts", "wss"),
        websocket=parts.scheme in ("ws", "wss"),
        path=parts.path or "/mqtt",
    )


class Mqtt:
    """`put` from any thread, never blocking. The callbacks are called on threads of ours and paho's."""

    on_command: Callable[[str, bytes], None] | None = None
    """Is told a command's name and payload; `answer` it."""
    on_desired: Callable[[bytes], None] | None = None
    """Is told what the device is to be set to, which the broker keeps."""
    on_lost: Callable[[], None] | None = None
    """Is told that the outbox was full, and has given something up."""

    def __init__(
        self, config: MqttConfig, device: str, outbox: Outbox, version: str = "", *, kiosk: bool = False
    ) -> None:
        """Raises ConfigError where the broker's URL or certificates make no sense."""
        self.dropped = 0
        """Events that could neither be sent nor kept: the disk is full, or has stood still."""
        self._broker = broker(config)
        self._device = device
        self._outbox = outbox
        self._jobs: queue.Queue[Callable[[], None] | Item | None] = queue.Queue(MOST_JOBS)
        self._connected = threading.Event()
        self._flying: dict[int, Item] = {}
        self._history: tuple[int, int] | None = None
        """Up to where old events have been sent since we connected; None: all of them."""
        self._remembered_at = 0.0
        """When the last old event was sent, by the monotonic clock."""
        self._complained_at = -COMPLAIN_EVERY_S
        self._connected_at = 0.0
        self._brief = 0
        self._retained: dict[str, bytes] = {}
        self._prefix = config.discovery
        appears = discovery(device, f"{BASE}/{device}", version, config.commands, kiosk=kiosk)
        self._discovery = json.dumps(appears).encode()
        self._thread = threading.Thread(target=self._work, name="mqtt-outbox", daemon=True)
        self._client = client = _client(config, device)
        client.will_set(self.topic("status"), OFFLINE, qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message

    def start(self) -> None:
        """Never waits for the broker, and never gives up."""
        self._thread.start()
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S, properties=_session())
        self._client.loop_start()

    def stop(self) -> None:
        """Say that we go, where there is somebody to hear it."""
        if self._connected.is_set():
            farewell = self._client.publish(self.topic("status"), OFFLINE, qos=1, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):  # the line broke: the broker says it for us
                farewell.wait_for_publish(STOP_WITHIN_S)
        self._connected.clear()
        self._client.disconnect()
        self._client.loop_stop()
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):  # the disk stands still: what is not kept by now is lost
                self._jobs.put(None, timeout=STOP_WITHIN_S)
            self._thread.join(STOP_WITHIN_S)

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def topic(self, name: str) -> str:
        return f"{BASE}/{self._device}/{name}"

    def put(self, item: Item) -> None:
        """An event, whose topic is `turn`, `call` or `alert`."""
        try:
            self._jobs.put_nowait(item)
        except queue.Full:
            self.dropped += 1

    def retain(self, name: str, payload: Mapping[str, Any]) -> None:
        """What is so now: the broker keeps the last of each name; none is kept here."""
        self._retained[name] = data = json.dumps(payload).encode()
        if self.connected:
            self._client.publish(self.topic(name), data, qos=0, retain=True)

    # --- the thread

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=HISTORY_S if self._history is not None else None)
            except queue.Empty:
                self._guarded(self._send_history)
                continue
            batch = [job]
            while len(batch) < BATCH and not self._jobs.empty():
                batch.append(self._jobs.get_nowait())
            items = [job for job in batch if isinstance(job, Item)]
            for item in items:
                self._fly(item)
            if items and not self._guarded(partial(self._keep, items)):
                flying = {(item.boot, item.seq) for item in self._flying.values()}
                self.dropped += sum((item.boot, item.seq) not in flying for item in items)
            for job in batch:
                if job is not None and not isinstance(job, Item):
                    self._guarded(job)
            if None in batch:
                return
            if self._history is not None:
                self._guarded(self._send_history)

    def _keep(self, items: list[Item]) -> None:
        if self._outbox.put(items) and self.on_lost is not None:
            self.on_lost()

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Was it done? A full disk ends nothing: events go out all the same, only they are not kept."""
        try:
            work()
        except DeviceError as error:
            if time.monotonic() - self._complained_at > COMPLAIN_EVERY_S:
                self._complained_at = time.monotonic()
                log.error("mqtt: %s", error)
            return False
        return True

    def _fly(self, item: Item) -> None:
        """Send it at once, if there is somebody."""
        if self.connected and len(self._flying) < MOST_FLYING:
            sent = self._client.publish(self.topic(item.topic), item.payload, qos=1)
            if sent.rc is MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._flying[sent.mid] = item
                return
        if self._history is None and self.connected:
            self._history = (item.boot, item.seq - 1)

    def _send_history(self) -> None:
        """The next old event, if there is one and the last ones have arrived."""
        if self._history is None or not self.connected or len(self._flying) >= MOST_FLYING:
            return
        if time.monotonic() - self._remembered_at < HISTORY_S:
            return
        flying = {(item.boot, item.seq) for item in self._flying.values()}
        item = next(
            (i for i in self._outbox.waiting(len(flying) + 1, self._history) if (i.boot, i.seq) not in flying), None
        )
        if item is None:
            self._history = None
            return
        payload = {**json.loads(item.payload), "historical": True}
        sent = self._client.publish(self.topic(item.topic), json.dumps(payload).encode(), qos=1)
        if sent.rc is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._flying[sent.mid] = item
            self._history, self._remembered_at = (item.boot, item.seq), time.monotonic()

    # --- the broker

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("mqtt: the broker refused us: %s", reason)
            return
        log.info("mqtt: connected to %s:%d", self._broker.host, self._broker.port)
        self._connected_at = time.monotonic()
        client.publish(self.topic("status"), ONLINE, qos=1, retain=True)
        for name, payload in tuple(self._retained.items()):
            client.publish(self.topic(name), payload, qos=0, retain=True)
        if self.on_command is not None:
            client.subscribe(self.topic("cmd/+"), qos=1)
        if self.on_desired is not None:
            client.subscribe(self.topic(DESIRED), qos=1)
        if self._prefix:
            client.subscribe(f"{self._prefix}/{BIRTH}", qos=1)
            self._introduce()
        self._tell(self._begin_history)

    def _introduce(self) -> None:
        """Tell Home Assistant who we are."""
        self._client.publish(discovery_topic(self._prefix, self._device), self._discovery, qos=1, retain=True)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        """Home Assistant has started, or somebody commands or wishes; nothing else is listened to."""
        if message.topic == f"{self._prefix}/{BIRTH}" and message.payload == ONLINE:
            self._introduce()
        if self.on_desired is not None and message.topic == self.topic(DESIRED):
            self.on_desired(bytes(message.payload[:MOST_COMMAND]))
        command = message.topic.removeprefix(self.topic("cmd/"))
        if self.on_command is not None and command != message.topic and not message.retain:
            self.on_command(command, bytes(message.payload[:MOST_COMMAND]))

    def answer(self, command: str, result: Mapping[str, Any]) -> None:
        self._client.publish(self.topic(f"cmd/{command}/result"), json.dumps(result).encode(), qos=1)

    def _begin_history(self) -> None:
        self._history = (0, 0)
        self._connected.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._connected.is_set():
            log.warning("mqtt: the broker is gone: %s", reason)
            brief = time.monotonic() - self._connected_at < BRIEF_S
            self._brief = self._brief + 1 if brief else 0
            if self._brief == SUSPICIOUS:  # few brokers say so
                log.error("mqtt: perhaps another device has the name %s too: set mqtt.device", self._device)
        self._connected.clear()
        self._tell(self._flying.clear)

    def _on_publish(self, client: paho.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self._tell(lambda: self._arrived(mid))

    def _arrived(self, mid: int) -> None:
        item = self._flying.pop(mid, None)
        if item is not None:
            self._outbox.done([item])

    def _tell(self, job: Callable[[], None]) -> None:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            log.error("mqtt: the disk stands still, what the broker said is lost; it will be sent again")


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    return properties


def forget(config: MqttConfig, device: str) -> None:
    """Take back all that a broker keeps of a device. Raises ConfigError, or DeviceError where it cannot be reached."""
    where, client = broker(config), _client(config, device)
    kept = [f"{BASE}/{device}/{name}" for name in ("status", "state", REPORTED)]
    if config.discovery:
        kept.append(discovery_topic(config.discovery, device))
    try:
        client.connect(where.host, where.port, KEEPALIVE_S)
        client.loop_start()
        for topic in kept:
            client.publish(topic, b"", qos=1, retain=True).wait_for_publish(STOP_WITHIN_S)
    except (OSError, RuntimeError, ValueError) as error:
        raise DeviceError(f"{where.host}:{where.port} cannot be told: {error}", mend="See mqtt.url.") from error
    finally:
        client.disconnect()
        client.loop_stop()


def probe(config: MqttConfig, device: str) -> tuple[bool, str]:
    """Would the broker take us? And what it says. Raises ConfigError."""
    where, client = broker(config), _client(config, f"{device}-check")  # the device itself may be connected
    said: queue.Queue[tuple[bool, str]] = queue.Queue()
    name = f"{where.host}:{where.port}"
    client.on_connect = lambda c, d, f, reason, p: said.put((not reason.is_failure, f"{name} says: {reason}"))
    try:
        client.connect(where.host, where.port, KEEPALIVE_S)
        client.loop_start()
        return said.get(timeout=PROBE_WITHIN_S)
    except queue.Empty:
        return False, f"{name} accepts connections and says nothing"
    except OSError as error:
        return False, f"{name} cannot be reached: {error}"
    finally:
        client.disconnect()
        client.loop_stop()


def _client(config: MqttConfig, name: str) -> paho.Client:
    """Raises ConfigError."""
    where = broker(config)
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"frontdesk-{name}",
        protocol=paho.MQTTv5,
        transport="websockets" if where.websocket else "tcp",
    )
    if where.websocket:
        client.ws_set_options(where.path)
    if config.username:
        client.username_pw_set(config.username, config.password or None)
    if where.secure:
        try:
            context = ssl.create_default_context(cafile=config.ca or None)
            if config.certificate:
                context.load_cert_chain(config.certificate, config.key or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([f"mqtt: its certificates cannot be read: {error}"]) from error
        client.tls_set_context(context)
    # Devices that lost a broker together should not come back in one moment.
    client.reconnect_delay_set(RECONNECT_S[0] + random.randrange(3), RECONNECT_S[1])
    client.max_queued_messages_set(2 * MOST_FLYING)
    return client
