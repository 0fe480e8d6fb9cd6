"""What Home Assistant is told, by the rules its MQTT integration publishes."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from jinja2 import Template

from appliance.telemetry.homeassistant import discovery, discovery_topic
from appliance.telemetry.reporter import Reporter

UNITS = {"duration": {"ms", "s"}, "temperature": {"°C"}, "data_size": {"MB"}}
"""Of the device classes that are used, the units that Home Assistant allows."""


@pytest.fixture
def told() -> dict[str, Any]:
    return discovery("lobby.1", "frontdesk/v1/lobby.1", "0.1.0")


def test_it_has_what_must_be_there(told: dict[str, Any]) -> None:
    assert re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", discovery_topic("homeassistant", "lobby.1"))
    assert told["origin"]["name"]
    assert told["device"]["identifiers"]
    assert told["availability"][0]["topic"] == "frontdesk/v1/lobby.1/status"
    assert told["state_topic"] == "frontdesk/v1/lobby.1/state"


def test_each_component_is_one_that_home_assistant_takes(told: dict[str, Any]) -> None:
    components = told["components"]
    assert len({c["unique_id"] for c in components.values()}) == len(components)
    for component in components.values():
        assert component["platform"] in ("sensor", "binary_sensor")
        assert re.fullmatch(rf"{component['platform']}\.[a-z0-9_]+", component["default_entity_id"])
        kind = component.get("device_class")
        if component["platform"] == "sensor" and kind:
            assert component["unit_of_measurement"] in UNITS[kind]


def test_every_sensor_is_in_the_state(told: dict[str, Any]) -> None:
    reporter = Reporter(lambda item: None, 1, text=False, alert_p50_ms=600, alert_p95_ms=1200)
    host = dict.fromkeys(("temperature_c", "memory_free_mb", "disk_free_mb"), 1)
    state: dict[str, Any] = {**reporter.state(0.0), "events_waiting": 0, "host": host}
    for component in told["components"].values():
        path = re.search(r"value_json\.([\w.]+)", component["value_template"])
        assert path is not None
        value: Any = state
        for key in path[1].split("."):
            assert key in value, path[1]
            value = value[key]


def test_what_the_owner_allows_appears_as_a_switch_and_a_button() -> None:
    base = "frontdesk/v1/lobby"
    components = discovery("lobby", base, "0.1.0", ["mute", "restart"])["components"]
    mute, restart = components["mute"], components["restart"]
    assert (mute["platform"], mute["command_topic"]) == ("switch", f"{base}/cmd/mute")
    assert (restart["platform"], restart["command_topic"]) == ("button", f"{base}/cmd/restart")
    now = iter(datetime.fromtimestamp(at) for at in (1.5, 2.5, 3.5))
    for value, on in (("ON", True), ("OFF", False)):
        sent = json.loads(Template(mute["command_template"]).render(value=value, now=lambda: next(now)))
        assert sent["args"] == {"on": on}
        assert sent["id"].startswith("ha-")
    sent = json.loads(Template(restart["command_template"]).render(value="PRESS", now=lambda: next(now)))
    assert sent == {"id": "ha-3.5", "args": {}}
    assert [Template(mute["value_template"]).render(value_json={"muted": on}) for on in (True, False)] == ["ON", "OFF"]
    assert "kiosk" not in discovery("lobby", base, "0.1.0")["components"]
    kiosk = discovery("lobby", base, "0.1.0", kiosk=True)["components"]["kiosk"]
    standing = {"kiosk": {"state": "offline", "why": "microphone.silent"}}
    assert Template(kiosk["value_template"]).render(value_json=standing) in kiosk["options"]
    assert "mute" not in discovery("lobby", base, "0.1.0", ["restart"])["components"]
