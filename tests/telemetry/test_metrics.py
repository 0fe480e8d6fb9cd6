"""What Prometheus is told, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from prometheus_client.parser import text_string_to_metric_families

from appliance.bench.device import Device
from appliance.telemetry.metrics import Handler, Metrics
from appliance.terms.events import (
    CallEnded,
    CallStarted,
    EngineChanged,
    Event,
    FillerSpoken,
    Network,
    NetworkMeasured,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def anybody(handler: Handler) -> Handler:
    return handler


@pytest.fixture
async def metrics() -> AsyncIterator[tuple[Metrics, str]]:
    made, app = Metrics(anybody), web.Application()
    app.add_routes(made.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    await runner.cleanup()


async def told(url: str) -> Samples:
    async with ClientSession() as session, session.get(url) as response:
        assert response.content_type == "text/plain"
        text = await response.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_calls_engines_and_fillers_are_counted(metrics: tuple[Metrics, str]) -> None:
    made, url = metrics
    events: list[Event] = [
        CallStarted(call="a", door="webrtc"),
        CallStarted(call="b", door="webrtc"),
        FillerSpoken(call="a", turn=1, text="One moment.", apology=False),
        EngineChanged(engine="llm", ready=True, restarts=2, why=""),
        CallEnded(call="b", door="webrtc", reason="hangup", duration_s=3.0, turns=1),
    ]
    for event in events:
        made.note(event)
    samples = await told(url)
    door = (("door", "webrtc"),)
    assert samples["frontdesk_calls_active", door] == 1
    assert samples["frontdesk_calls_total", (*door, ("reason", "hangup"))] == 1
    assert samples["frontdesk_fillers_total", (("kind", "filler"),)] == 1
    assert samples["frontdesk_engine_restarts", (("engine", "llm"),)] == 2


async def test_a_calls_sums_are_counted_once(metrics: tuple[Metrics, str]) -> None:
    made, url = metrics
    for lost in (3, 5):
        network = Network(rtt_ms=30.0, loss_in=0.02, lost=lost, recovered=lost - 1, concealed_ms=lost * 20.0)
        made.note(NetworkMeasured(call="a", network=network))
    samples = await told(url)
    assert samples["frontdesk_network_packets_total", (("fate", "lost"),)] == 5
    assert samples["frontdesk_network_packets_total", (("fate", "recovered"),)] == 4
    assert samples["frontdesk_network_concealed_seconds_total", ()] == pytest.approx(0.1)
    assert samples["frontdesk_network_rtt_seconds_count", ()] == 2
    assert samples["frontdesk_network_loss_ratio_count", (("direction", "in"),)] == 2


@pytest.mark.model
async def test_only_the_owner_may_ask(device: Device) -> None:
    async with ClientSession() as session, session.get(f"{device.url}metrics") as response:
        assert response.status == 401
