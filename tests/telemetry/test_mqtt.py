"""Telemetry against a real broker: there, away, silent, strict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from appliance.bench.broker import LOOPBACK, free_port, mosquitto
from appliance.store.outbox import Item, Outbox
from appliance.telemetry.homeassistant import discovery_topic
from appliance.telemetry.mqtt import MOST_COMMAND, REPORTED, Mqtt, broker, forget, probe
from appliance.terms.config import MqttConfig
from appliance.terms.errors import ConfigError
from tests.doors.sip.peers import certificate

from .subscriber import subscriber, until

DEVICE = "desk-1"


def event(seq: int, *, boot: int = 1, topic: str = "turn") -> Item:
    payload = {"type": topic, "boot": boot, "seq": seq, "historical": False}
    return Item(boot=boot, seq=seq, rank=0, topic=topic, payload=json.dumps(payload).encode())


@contextlib.contextmanager
def device(folder: Path, config: MqttConfig) -> Iterator[tuple[Mqtt, Outbox]]:
    outbox = Outbox(folder / "outbox.db")
    mqtt = Mqtt(config, DEVICE, outbox)
    mqtt.start()
    try:
        yield mqtt, outbox
    finally:
        mqtt.stop()
        outbox.close()


def _holds(outbox: Outbox, count: int) -> bool:
    return len(outbox) == count


def at(port: int) -> MqttConfig:
    return MqttConfig(url=f"mqtt://{LOOPBACK}:{port}")


def test_events_arrive_at_once_and_are_kept_no_longer(tmp_path: Path) -> None:
    port = free_port()
    with mosquitto(tmp_path, port), subscriber(port) as fleet:
        with device(tmp_path, at(port)) as (mqtt, outbox):
            until(lambda: fleet.last("status") == b"online")
            mqtt.retain("state", {"calls": 0})
            for seq in range(1, 21):
                mqtt.put(event(seq, topic="call" if seq % 5 == 0 else "turn"))
            until(lambda: len(fleet.events("turn")) == 16 and len(fleet.events("call")) == 4)
            assert not any(e["historical"] for e in fleet.events("turn"))
            assert [e["seq"] for e in fleet.events("call")] == [5, 10, 15, 20]
            until(lambda: len(outbox) == 0)
        until(lambda: fleet.last("status") == b"offline")


def test_the_state_and_the_status_are_there_for_who_comes_later(tmp_path: Path) -> None:
    port = free_port()
    with mosquitto(tmp_path, port), device(tmp_path, at(port)) as (mqtt, _):
        mqtt.retain("state", {"calls": 3})
        until(lambda: mqtt.connected)
        with subscriber(port) as late:
            until(lambda: late.last("status") and late.last("state"))
            assert json.loads(late.last("state")) == {"calls": 3}
            assert all(retained for _, _, retained in late.messages)


def test_home_assistant_is_told_again_when_it_starts_and_no_more_once_forgotten(tmp_path: Path) -> None:
    port = free_port()
    topic = discovery_topic("homeassistant", DEVICE)
    with mosquitto(tmp_path, port), subscriber(port, base="homeassistant/#") as home:
        with device(tmp_path, at(port)) as (mqtt, _):
            until(lambda: mqtt.connected and len(home.named(topic)) == 1)
            home.say("homeassistant/status", b"online")
            until(lambda: len(home.named(topic)) == 2)
            assert json.loads(home.named(topic)[0])["state_topic"] == f"frontdesk/v1/{DEVICE}/state"
        forget(at(port), DEVICE)
        until(lambda: home.named(topic)[-1] == b"")
        with subscriber(port) as late:
            time.sleep(0.3)
            assert late.messages == []


def test_commands_come_and_are_answered_but_not_what_was_retained(tmp_path: Path) -> None:
    port, asked = free_port(), []
    topic = f"frontdesk/v1/{DEVICE}/cmd"
    with mosquitto(tmp_path, port), subscriber(port) as fleet:
        fleet.say(f"{topic}/restart", b"old", retain=True)
        until(lambda: fleet.named(f"{topic}/restart"))
        outbox = Outbox(tmp_path / "outbox.db")
        mqtt = Mqtt(at(port), DEVICE, outbox)
        mqtt.on_command = lambda name, payload: asked.append((name, payload))
        mqtt.start()
        until(lambda: mqtt.connected)
        fleet.say(f"{topic}/drain", b"{}")
        fleet.say(f"{topic}/drain/result", b"no command")
        until(lambda: asked)
        mqtt.answer("drain", {"id": "a", "ok": True, "error": None})
        until(lambda: len(fleet.named(f"{topic}/drain/result")) == 2)
        mqtt.stop()
        outbox.close()
    assert asked == [("drain", b"{}")]


def test_what_the_device_is_to_be_set_to_is_kept_by_the_broker(tmp_path: Path) -> None:
    port, wished = free_port(), list[bytes]()
    base = f"frontdesk/v1/{DEVICE}"
    with mosquitto(tmp_path, port), subscriber(port) as fleet:
        fleet.say(f"{base}/config/desired", b"first", retain=True)
        until(lambda: fleet.named(f"{base}/config/desired"))
        outbox = Outbox(tmp_path / "outbox.db")
        mqtt = Mqtt(at(port), DEVICE, outbox)
        mqtt.on_desired = wished.append
        mqtt.start()
        until(lambda: wished == [b"first"])
        fleet.say(f"{base}/config/desired", b"second", retain=True)
        until(lambda: wished == [b"first", b"second"])
        mqtt.retain(REPORTED, {"version": 2})
        with subscriber(port) as later:
            until(lambda: later.last(REPORTED) == b'{"version": 2}')
        mqtt.stop()
        outbox.close()
        forget(at(port), DEVICE)
        until(lambda: fleet.last(REPORTED) == b"")


def test_what_a_full_outbox_gives_up_is_told_at_once(tmp_path: Path) -> None:
    outbox, told = Outbox(tmp_path / "outbox.db", most_rows=100), threading.Event()
    mqtt = Mqtt(at(free_port()), DEVICE, outbox)
    mqtt.on_lost = told.set
    mqtt.start()
    for seq in range(1, 100):
        mqtt.put(event(seq))
    until(lambda: len(outbox) == 99)
    assert not told.is_set()
    for seq in range(100, 110):
        mqtt.put(event(seq))
    assert told.wait(5)
    assert outbox.lost()[0].first == 1
    mqtt.stop()
    outbox.close()


def test_garbage_on_every_topic_does_no_harm(tmp_path: Path) -> None:
    port, asked = free_port(), list[tuple[str, bytes]]()
    base, wished = f"frontdesk/v1/{DEVICE}", list[bytes]()
    topics = ("status", "state", "turn", "call", "alert", "cmd/drain", "cmd/", "config/desired", "config/reported", "x")
    with mosquitto(tmp_path, port), subscriber(port) as fleet:
        for topic in topics:
            fleet.say(f"{base}/{topic}", b"\xff\x00{" * 300_000, retain=True)
        fleet.say("homeassistant/status", b"\xff" * 1_000_000, retain=True)
        until(lambda: len(fleet.messages) == len(topics))
        outbox = Outbox(tmp_path / "outbox.db")
        mqtt = Mqtt(at(port), DEVICE, outbox)
        mqtt.on_command = lambda name, payload: asked.append((name, payload))
        mqtt.on_desired = wished.append
        mqtt.start()
        until(lambda: wished)
        mqtt.put(event(1))
        until(lambda: fleet.last("turn") == event(1).payload)
        until(lambda: fleet.last("status") == b"online")
        fleet.say(f"{base}/cmd/drain", b"{" * 1_000_000)
        until(lambda: asked)
        assert (len(asked), len(asked[0][1]), len(wished[0])) == (1, MOST_COMMAND, MOST_COMMAND)
        mqtt.stop()
        outbox.close()


async def test_a_broker_behind_a_websocket(tmp_path: Path) -> None:
    """By a proxy in front of mosquitto: bytes as binary messages, subprotocol `mqtt` (MQTT 5, section 6)."""
    port = free_port()
    with mosquitto(tmp_path, port), subscriber(port) as fleet:
        async with websocket_proxy(port) as url:
            with device(tmp_path, MqttConfig(url=url)) as (mqtt, outbox):
                mqtt.put(event(1))
                await asyncio.to_thread(until, lambda: len(fleet.events("turn")) == 1)
                await asyncio.to_thread(until, lambda: len(outbox) == 0)
                assert fleet.last("status") == b"online"
                await asyncio.to_thread(mqtt.stop)
            await asyncio.to_thread(until, lambda: fleet.last("status") == b"offline")
            good, found = await asyncio.to_thread(probe, MqttConfig(url=url), DEVICE)
            assert good, found


@contextlib.asynccontextmanager
async def websocket_proxy(port: int) -> AsyncIterator[str]:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        assert socket.ws_protocol == "mqtt"
        reader, writer = await asyncio.open_connection(LOOPBACK, port)

        async def back() -> None:
            while data := await reader.read(65_536):
                await socket.send_bytes(data)
            await socket.close()

        coming = asyncio.create_task(back())
        async for message in socket:
            writer.write(message.data)
        writer.close()
        await coming
        return socket

    app = web.Application()
    app.router.add_get("/broker", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    yield f"ws://{LOOPBACK}:{runner.addresses[0][1]}/broker"
    await runner.cleanup()


def test_two_devices_with_one_name_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    (tmp_path / "other").mkdir()
    with mosquitto(tmp_path, port), device(tmp_path, at(port)) as (first, _):
        until(lambda: first.connected)
        with device(tmp_path / "other", at(port)):
            until(lambda: "another device has the name desk-1 too" in caplog.text, within_s=30)


def test_the_broker_is_asked_whether_it_would_take_us(tmp_path: Path) -> None:
    port = free_port()
    with mosquitto(tmp_path, port), device(tmp_path, at(port)) as (mqtt, _):
        until(lambda: mqtt.connected)
        good, found = probe(at(port), DEVICE)
        assert good, found
        assert mqtt.connected, "asking takes nobody's place"
    good, found = probe(at(port), DEVICE)
    assert not good
    assert "cannot be reached" in found
    with socket.create_server((LOOPBACK, 0)) as silent:
        assert "says nothing" in probe(at(silent.getsockname()[1]), DEVICE)[1]


def test_a_device_that_dies_is_offline(tmp_path: Path) -> None:
    port = free_port()
    with mosquitto(tmp_path, port), subscriber(port) as fleet, device(tmp_path, at(port)) as (mqtt, _):
        until(lambda: fleet.last("status") == b"online")
        client_socket = mqtt._client.socket()
        assert isinstance(client_socket, socket.socket)
        mqtt._client.loop_stop()
        client_socket.shutdown(socket.SHUT_RDWR)
        until(lambda: fleet.last("status") == b"offline")


def test_what_happened_while_the_broker_was_away_arrives_later_once_and_in_order(tmp_path: Path) -> None:
    """… though the device was started again twice meanwhile."""
    port = free_port()
    for boot in (1, 2):
        with device(tmp_path, at(port)) as (mqtt, outbox):
            for seq in range(1, 31):
                mqtt.put(event(seq, boot=boot))
            until(partial(_holds, outbox, 30 * boot))
    with device(tmp_path, at(port)) as (mqtt, outbox), mosquitto(tmp_path, port), subscriber(port) as fleet:
        until(lambda: mqtt.connected, within_s=20)
        mqtt.put(event(1, boot=3))
        until(lambda: len({(e["boot"], e["seq"]) for e in fleet.events("turn")}) == 61, within_s=20)
        until(lambda: len(outbox) == 0)
        history = [(e["boot"], e["seq"]) for e in fleet.events("turn") if e["historical"]]
        assert history == [(boot, seq) for boot in (1, 2) for seq in range(1, 31)]
        live = [(e["boot"], e["seq"]) for e in fleet.events("turn") if not e["historical"]]
        assert live == [(3, 1)]
        assert fleet.events("turn").index(next(e for e in fleet.events("turn") if e["boot"] == 3)) < 30


def test_a_broker_that_restarts_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    with device(tmp_path, at(port)) as (mqtt, outbox):
        with mosquitto(tmp_path, port):
            until(lambda: mqtt.connected)
            mqtt.put(event(1))
            until(lambda: len(outbox) == 0 and mqtt._jobs.empty())
        until(lambda: not mqtt.connected)
        for seq in range(2, 12):
            mqtt.put(event(seq))
        with mosquitto(tmp_path, port), subscriber(port) as fleet:
            until(lambda: {e["seq"] for e in fleet.events("turn")} == set(range(2, 12)), within_s=30)


def test_a_broker_that_accepts_and_says_nothing_stops_nobody(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent, device(tmp_path, at(silent.getsockname()[1])) as (mqtt, outbox):
        began = time.perf_counter()
        for seq in range(1, 501):
            mqtt.put(event(seq))
        assert time.perf_counter() - began < 0.1
        until(lambda: len(outbox) == 500)
        assert not mqtt.connected


def test_a_strict_broker_over_tls(tmp_path: Path) -> None:
    port, ca = free_port(), certificate(tmp_path)
    (tmp_path / "key.pem").chmod(0o644)
    passwords = tmp_path / "passwords"
    passwords.write_text("desk:geheim\n")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    strict = (
        f"cafile {ca}",
        f"certfile {ca}",
        f"keyfile {tmp_path / 'key.pem'}",
        f"password_file {passwords}",
        "allow_anonymous false",
    )
    good = MqttConfig(url=f"mqtts://{LOOPBACK}:{port}", username="desk", password="geheim", ca=str(ca))
    with mosquitto(tmp_path, port, *strict):
        with device(tmp_path, good) as (mqtt, outbox):
            until(lambda: mqtt.connected)
            mqtt.put(event(1))
            until(lambda: mqtt._jobs.empty() and len(outbox) == 0)
        with device(tmp_path, MqttConfig(url=good.url, username="desk", password="wrong", ca=str(ca))) as (mqtt, _):
            time.sleep(0.5)
            assert not mqtt.connected
        assert "ot authorized" in probe(replace(good, password="wrong"), DEVICE)[1]


@pytest.mark.parametrize(
    "url", ["http://a", "mqtt://", "mqtt://a:x", "mqtt://user:geheim@a", "a.example", "mqtt://a:99999"]
)
def test_a_broker_that_makes_no_sense_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.url") as error:
        broker(MqttConfig(url=url))
    assert "geheim" not in str(error.value)
