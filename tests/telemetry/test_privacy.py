"""What was said, by whom, and which keys were pressed: nowhere but in the live call, unless the owner wants that."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from appliance.app.records import Records
from appliance.app.terminal import Journal as SystemJournal
from appliance.app.terminal import JsonRecords
from appliance.bench.sample import TURN
from appliance.store.outbox import Item
from appliance.telemetry.metrics import Metrics
from appliance.telemetry.reporter import Reporter
from appliance.telemetry.tracing import Tracing, exporter
from appliance.terms.clock import SystemClock, rfc3339
from appliance.terms.config import TelemetryConfig
from appliance.terms.events import (
    NAMES,
    WORDS,
    CallEnded,
    CallerForgotten,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    Caption,
    Event,
    FillerSpoken,
    KeyPressed,
    MessageTaken,
    Overlap,
    ReplyHeard,
    ToolUsed,
    VisitorArrived,
)

from .collector import collector

SECRET = "zebulon4711"
EVENTS: list[Event] = [
    CallStarted(call="a", door="sip", caller=SECRET),
    CallPlaced(call="b", door="sip", to=SECRET, progress="dialling"),
    CallRefused(door="sip", caller=SECRET, why="busy"),
    KeyPressed(call="a", key=SECRET),
    MessageTaken(call="a", door="sip", to=SECRET, text=SECRET, name=SECRET, number=SECRET),
    VisitorArrived(call="a", door="kiosk", host=SECRET, name=SECRET),
    CallerForgotten(call="a"),
    ToolUsed(call="a", tool="book", done=True, took_ms=1.0),
    Caption(call="a", turn=1, who="caller", text=SECRET),
    ReplyHeard(call="a", turn=1, text=SECRET),
    Overlap(call="a", turn=1, meant=True, text=SECRET, silent_ms=200.0),
    FillerSpoken(call="a", turn=1, text=SECRET, apology=True),
    replace(TURN, transcript=SECRET, reply=SECRET),
    CallTransferred(call="a", to=SECRET, done=True),
    CallEnded(call="a", door="sip", reason="hangup", duration_s=9.0, turns=1),
]


def test_every_kind_of_event_that_has_words_is_tried() -> None:
    wordy = {kind for kind in NAMES if {field.name for field in fields(kind)} & set(WORDS)}
    assert wordy <= {type(event) for event in EVENTS}


@pytest.mark.parametrize("text", [False, True])
async def test_a_spoken_secret_is_nowhere(tmp_path: Path, text: bool, capsys: pytest.CaptureFixture[str]) -> None:
    clock, items = SystemClock(), list[Item]()
    reporter = Reporter(items.append, 1, text=text, alert_p50_ms=100, alert_p95_ms=100)
    metrics, records = Metrics(lambda handler: handler), Records(TelemetryConfig(text=text), tmp_path, clock)
    system, log = SystemJournal(), JsonRecords()
    async with collector() as found:
        tracing = Tracing(exporter(found.url), device="a", version="0", models={"llm": "x"})
        records.start()
        for event in EVENTS:
            reporter.note(event, clock.now(), rfc3339(clock.utc()))
            metrics.note(event)
            records.note(event)
            system.tell(event)
            tracing.note(event, datetime.now(UTC))
        live = records.archive
        assert SECRET in str(await live.call("a")), "the live call has its words"
        await asyncio.to_thread(tracing.stop)
        await asyncio.to_thread(records.stop)
        assert found.spans
    printed = capsys.readouterr()
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s", (printed.err + printed.out,), None)
    kept = on_disk(tmp_path)
    assert b"call.started" in kept, "the journal has the call"
    places = {
        "mqtt": b"".join(item.payload for item in items),
        "metrics": await scraped(metrics),
        "traces": found.raw,
        "log": log.format(record).encode(),
        "disk": kept,
    }
    assert {place for place, told in places.items() if SECRET.encode() in told} == ({"mqtt", "disk"} if text else set())
    assert SECRET.encode() not in places["log"]


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def scraped(metrics: Metrics) -> bytes:
    app = web.Application()
    app.add_routes(metrics.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        ClientSession() as session,
        session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics") as response,
    ):
        text = await response.read()
    await runner.cleanup()
    return text
