"""`frontdesk bench telemetry`: what telling costs a call, and whether anything is lost. No models; a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from appliance.store.background import Background
from appliance.store.outbox import Item, Outbox
from appliance.telemetry.journal import Journal
from appliance.telemetry.mqtt import Mqtt
from appliance.telemetry.reporter import Reporter
from appliance.terms.clock import SystemClock, rfc3339
from appliance.terms.config import MqttConfig
from appliance.terms.errors import DeviceError
from appliance.terms.events import CallEnded, CallStarted, Event, TurnEnded, as_json

from .broker import LOOPBACK, free_port, mosquitto
from .sample import TURN

DEVICE = "bench"
EVENTS, PER_S = 300, 10
TICK_S, WATCHED_S = 0.01, 8.0
SLOW_DISK_S = 0.5
OUTAGE_TURNS, OUTAGE_CALLS = 240, 60
"""An hour of a busy reception: a call a minute of four turns."""
WITHIN_S = 120.0
WRITER = """
import sys
from pathlib import Path
from appliance.store.outbox import Item, Outbox

outbox = Outbox(Path(sys.argv[1]))
boot, seq = outbox.begin_boot(), 0
print(boot, flush=True)
while True:
    outbox.put([Item(boot=boot, seq=seq + i, rank=0, topic="turn", payload=b"x" * 1500) for i in (1, 2)])
    seq += 2
    print(seq, flush=True)
"""


class SlowDisk(Outbox):
    """Each write takes half a second."""

    def put(self, items: Iterable[Item]) -> bool:
        time.sleep(SLOW_DISK_S)
        return super().put(items)


class SlowJournal(Journal):
    def write(self, line: str) -> None:
        time.sleep(SLOW_DISK_S)
        super().write(line)


class FullJournal(Journal):
    def write(self, line: str) -> None:
        raise DeviceError("the disk is full")


class FullDisk(Outbox):
    """Nothing can be written."""

    def put(self, items: Iterable[Item]) -> bool:
        raise DeviceError("the disk is full")


async def measure(*, kills: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Raises DeviceError where mosquitto is missing."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="frontdesk-telemetry-") as name:
        folder, port = Path(name), free_port()
        with mosquitto(folder, port):
            found["arrival"] = await _arrival(folder / "arrival", port)
            tell(f"arrival: {found['arrival']}")
            found["stall"] = await _stalls(folder, port)
            tell(f"stall: {found['stall']}")
        found["outage"] = await asyncio.to_thread(_outage, folder, port)
        tell(f"outage: {found['outage']}")
        found["kills"] = await asyncio.to_thread(_kill, folder / "killed.db", kills)
        tell(f"kills: {found['kills']}")
    return found


async def _arrival(folder: Path, port: int) -> dict[str, Any]:
    """From the event to a subscriber, and the processor time of it, with a call's events ten times as dense as real."""
    arrived: dict[int, float] = {}
    began: dict[int, float] = {}
    with (
        _subscriber(port, lambda event: arrived.setdefault(event["seq"], time.monotonic())),
        _device(Outbox(folder / "outbox.db"), port) as (reporter, mqtt),
    ):
        await _until(lambda: mqtt.connected)
        cpu = time.process_time()
        for seq in range(1, EVENTS + 1):
            began[seq] = time.monotonic()
            _note(reporter, _turn("a", seq))
            await asyncio.sleep(1 / PER_S)
        await _until(lambda: len(arrived) >= EVENTS)
        cpu = time.process_time() - cpu
    times = [(arrived[seq] - began[seq]) * 1000 for seq in began]
    p50, p95 = (round(float(value), 1) for value in np.percentile(times, (50, 95)))
    return {"events": EVENTS, "p50_ms": p50, "p95_ms": p95, "cpu_ms_per_event": round(cpu / EVENTS * 1000, 2)}


async def _stalls(folder: Path, port: int) -> dict[str, float]:
    """The event loop's longest delay in ms, with events coming in: telemetry off, on, and with everything wrong."""
    found = {"off": await _watched(None)}
    with socket.create_server((LOOPBACK, 0)) as silent:
        for name, kind, journal, where in (
            ("on", Outbox, Journal, port),
            ("silent_broker", Outbox, Journal, silent.getsockname()[1]),
            ("slow_disk", SlowDisk, SlowJournal, port),
            ("full_disk", FullDisk, FullJournal, port),
        ):
            background, lines = Background(), journal(folder, most_bytes=1_000_000)
            background.start()
            with _device(kind(folder / f"{name}.db"), where) as (reporter, _):
                found[name] = await _watched(partial(_keep, reporter, background, lines))
            background.stop()
            lines.close()
    return found


async def _watched(note: Callable[[Event], None] | None) -> float:
    worst, seq, began = 0.0, 0, time.monotonic()
    while time.monotonic() - began < WATCHED_S:
        due = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        worst = max(worst, time.monotonic() - due)
        seq += 1
        event = _turn("a", seq)
        if note is not None and seq % (100 // PER_S) == 0:
            note(event)
    return round(worst * 1000, 1)


def _outage(folder: Path, port: int) -> dict[str, Any]:
    """An hour's events without a broker, the device killed twice meanwhile; then it is back. What arrives?"""
    file, expected = folder / "outage.db", 0
    for _ in range(3):
        outbox = Outbox(file)
        with _device(outbox, port) as (reporter, _):
            for call in range(OUTAGE_CALLS // 3):
                _note(reporter, CallStarted(call=str(call), door="sip"))
                for turn in range(OUTAGE_TURNS // OUTAGE_CALLS):
                    _note(reporter, _turn(str(call), turn))
                _note(reporter, CallEnded(call=str(call), door="sip", reason="hangup", duration_s=60.0, turns=4))
            expected += OUTAGE_CALLS // 3 * (2 + OUTAGE_TURNS // OUTAGE_CALLS)
            _wait(lambda outbox=outbox, expected=expected: len(outbox) == expected)  # type: ignore[misc]
    events: list[tuple[int, int, bool]] = []
    outbox = Outbox(file)
    with (
        mosquitto(folder, port),
        _subscriber(port, lambda e: events.append((e["boot"], e["seq"], e["historical"]))),
        _device(outbox, port),
    ):
        began = time.monotonic()
        _wait(lambda: len({event[:2] for event in events}) >= expected and not len(outbox))
        took = time.monotonic() - began
    first = list(dict.fromkeys((boot, seq) for boot, seq, _ in events))
    return {
        "events": expected,
        "arrived": len(first),
        "twice": len(events) - len(first),
        "in_order": first == sorted(first),
        "took_s": round(took, 1),
    }


def _kill(file: Path, kills: int) -> dict[str, Any]:
    """A writer is killed again and again in the middle of its work: what it had been told was kept must be there."""
    dice, lost, kept = random.Random(7), 0, 0
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        boot = int(writer.stdout.readline())
        time.sleep(dice.random() * 0.03)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        outbox = Outbox(file)
        seqs = {item.seq for item in outbox.waiting(1_000_000, (boot, 0))}
        lost += len(set(range(1, max(told, default=0) + 1)) - seqs)
        kept += max(told, default=0)
        outbox.done(outbox.waiting(1_000_000))
        outbox.close()
    return {"kills": kills, "acknowledged": kept, "lost": lost}


@contextlib.contextmanager
def _device(outbox: Outbox, port: int) -> Iterator[tuple[Reporter, Mqtt]]:
    mqtt = Mqtt(MqttConfig(url=f"mqtt://{LOOPBACK}:{port}"), DEVICE, outbox)
    reporter = Reporter(mqtt.put, outbox.begin_boot(), text=False, alert_p50_ms=1e6, alert_p95_ms=1e6)
    mqtt.start()
    try:
        yield reporter, mqtt
    finally:
        mqtt.stop()
        outbox.close()


@contextlib.contextmanager
def _subscriber(port: int, hear: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)

    def on_message(client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        hear(json.loads(message.payload))

    client.on_message = on_message
    client.connect(LOOPBACK, port)
    for topic in ("turn", "call"):
        client.subscribe(f"frontdesk/v1/{DEVICE}/{topic}", qos=1)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def _keep(reporter: Reporter, background: Background, journal: Journal, event: Event) -> None:
    """All that is done with an event."""
    _note(reporter, event)
    background.do(partial(journal.write, json.dumps(as_json(event))))


def _note(reporter: Reporter, event: Event) -> None:
    clock = SystemClock()
    reporter.note(event, clock.now(), rfc3339(clock.utc()))


def _turn(call: str, number: int) -> TurnEnded:
    return replace(TURN, call=call, turn=number)


def _wait(done: Callable[[], object]) -> None:
    """Raises DeviceError."""
    deadline = time.monotonic() + WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise DeviceError("what should have happened did not")
        time.sleep(0.02)


async def _until(done: Callable[[], object]) -> None:
    await asyncio.to_thread(_wait, done)
