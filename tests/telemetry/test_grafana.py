"""The dashboard and the alert rules, against a real Prometheus that scrapes the device's metrics."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from appliance.bench.broker import free_port
from appliance.bench.sample import TURN
from appliance.telemetry.metrics import Metrics
from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    EngineChanged,
    Event,
    FillerSpoken,
    Network,
    NetworkMeasured,
    SourceBanned,
)

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
RULES = GRAFANA / "alerts.yaml"
NETWORK = Network(
    rtt_ms=30.0, jitter_ms=2.0, buffer_ms=10.0, loss_in=0.01, loss_out=0.0, bitrate=24e3, bitrate_out=24e3
)
FIGURES: dict[str, Any] = {
    **dict.fromkeys(("cpu", "memory_free_mb", "disk_free_mb", "temperature_c", "throttled", "certificate_days"), 1),
    **dict.fromkeys(("events_waiting", "events_dropped", "records_dropped", "muted"), 0),
    "queues": {"llm": 0},
}


def happening(number: int) -> list[Event]:
    """Something of every kind, again and again."""
    call = str(number)
    network = replace(NETWORK, lost=number, recovered=number, late=number, refused=number, concealed_ms=float(number))
    return [
        CallStarted(call=call, door="sip"),
        replace(TURN, call=call),
        FillerSpoken(call=call, turn=1, text="", apology=True),
        NetworkMeasured(call=call, network=network),
        CallEnded(call=call, door="sip", reason="hangup", duration_s=3.0, turns=1),
        CallRefused(door="sip", caller="", why="busy"),
        CallPlaced(call=call, door="sip", to="", progress="busy"),
        CallTransferred(call=call, to="", done=True),
        AccountChanged(account="a@b", registered=True),
        SourceBanned(source="192.0.2.1", banned=1),
        EngineChanged(engine="llm", ready=True, restarts=number, why=""),
    ]


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[str]:
    """The address of one that has scraped for some seconds."""
    metrics, app, port = Metrics(lambda handler: handler, lambda: FIGURES), web.Application(), free_port()
    app.add_routes(metrics.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "frontdesk", "static_configs": [{"targets": [f"127.0.0.1:{runner.addresses[0][1]}"]}]}
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    server = subprocess.Popen(  # noqa: ASYNC220 - it is started, and not waited for
        [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        for number in range(16):
            for event in happening(number):
                metrics.note(event)
            await asyncio.sleep(0.5)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        server.terminate()
        server.wait(10)
        await runner.cleanup()


def expressions() -> list[str]:
    """All that the dashboard asks, as Grafana would ask it of every device."""
    board = json.loads((GRAFANA / "frontdesk.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [text.replace("$instance", ".*").replace("$__rate_interval", "5s") for text in found]


async def test_every_panel_shows_something_and_every_metric_exists(prometheus: str) -> None:
    async with ClientSession() as session:

        async def ask(path: str, **params: str) -> Any:
            async with session.get(f"{prometheus}/{path}", params=params) as response:
                answer = await response.json()
            assert answer["status"] == "success", (params, answer)
            return answer["data"]

        known = set(await ask("label/__name__/values"))
        rules = [rule for group in (await ask("rules"))["groups"] for rule in group["rules"]]
        asked = [*expressions(), *(rule["query"] for rule in rules)]
        assert set(re.findall(r"frontdesk_\w+", " ".join(asked))) <= known
        assert len(rules) >= 10
        assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
        for text in expressions():
            assert (await ask("query", query=text))["result"], text


def buckets(instance: str, quick_from: str) -> list[dict[str, str]]:
    """Ten turns a minute, all of them at most so slow."""
    name = "frontdesk_turn_seconds"
    about = f'part="e2a",instance="{instance}"'
    rising = {le: float(le) >= float(quick_from) for le in ("0.3", "0.65", "2", "+Inf")}
    series = {f'{name}_bucket{{{about},le="{le}"}}': rises for le, rises in rising.items()}
    series[f"{name}_count{{{about}}}"] = True
    return [{"series": key, "values": "0+10x30" if rises else "0x30"} for key, rises in series.items()]


def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    """By Prometheus' own rule tester: devices that are slow, gone, full, and well."""
    series = [
        *buckets("slow", "2"),
        *buckets("well", "0.3"),
        {"series": 'up{job="frontdesk",instance="gone"}', "values": "1x10 0x20"},
        {"series": 'frontdesk_host_disk_free_bytes{instance="well"}', "values": "9e9x30"},
        {"series": 'frontdesk_host_disk_free_bytes{instance="full"}', "values": "1e8x30"},
    ]
    expected = {
        "FrontdeskSlow": ("slow", "warning", "slow usually answers after 1.325s"),
        "FrontdeskVerySlow": ("slow", "warning", "One in twenty callers of slow waits longer than 1.933s"),
        "FrontdeskGone": ("gone", "critical", "gone does not answer"),
        "FrontdeskDiskLow": ("full", "warning", "full has 95.37MiB of disk left"),
    }
    mends = {
        "FrontdeskSlow": "See which part of the turn it is, and whether the computer is hot or busy.",
        "FrontdeskGone": "Is it powered, and on the network?",
    }
    tests = []
    for name, (instance, severity, summary) in expected.items():
        labels = {"instance": instance, "severity": severity}
        labels |= {"job": "frontdesk"} if name == "FrontdeskGone" else {}
        annotations = {"summary": summary} | ({"mend": mends[name]} if name in mends else {})
        told = [{"exp_labels": labels, "exp_annotations": annotations}]
        tests.append({"eval_time": "20m", "alertname": name, "exp_alerts": told})
    file = tmp_path / "test.yml"
    one = {"interval": "1m", "input_series": series, "alert_rule_test": tests}
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [one]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
