"""How the device appears in Home Assistant: one retained message from which it makes the device and its sensors. Pure.

Home Assistant's MQTT integration, *device discovery*: `<prefix>/device/<object id>/config`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

BIRTH = "status"
"""Under the prefix: `online` when Home Assistant has started, and wants to be told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """`of`: where it is in the device's state; `kind`: Home Assistant's device class."""

    name: str
    of: str
    unit: str = ""
    kind: str = ""
    icon: str = ""
    diagnostic: bool = False


SENSORS = {
    "calls": Sensor(name="Calls", of="calls", icon="mdi:phone-in-talk"),
    "p50": Sensor(name="Usual wait", of="p50_ms", unit="ms", kind="duration"),
    "p95": Sensor(name="Longest usual wait", of="p95_ms", unit="ms", kind="duration"),
    "temperature": Sensor(name="Temperature", of="host.temperature_c", unit="°C", kind="temperature", diagnostic=True),
    "memory": Sensor(name="Free memory", of="host.memory_free_mb", unit="MB", kind="data_size", diagnostic=True),
    "disk": Sensor(name="Free disk", of="host.disk_free_mb", unit="MB", kind="data_size", diagnostic=True),
    "waiting": Sensor(name="Events waiting", of="events_waiting", icon="mdi:tray-full", diagnostic=True),
}


KIOSK_STATES = ("idle", "waiting", "listening", "thinking", "speaking", "trouble", "offline")


def discovery_topic(prefix: str, device: str) -> str:
    return f"{prefix}/device/{_id(device)}/config"


def discovery(
    device: str, base: str, version: str, commands: Collection[str] = (), *, kiosk: bool = False
) -> dict[str, Any]:
    """The message for a device whose topics are under `base`, which obeys these commands, and may be a `kiosk`."""
    components = {key: _sensor(device, key, sensor) for key, sensor in SENSORS.items()}
    if kiosk:
        components["kiosk"] = {
            "platform": "sensor",
            "name": "Kiosk",
            "icon": "mdi:account-voice",
            "device_class": "enum",
            "options": list(KIOSK_STATES),
            "value_template": "{{ value_json.kiosk.state }}",
            "json_attributes_topic": f"{base}/state",
            "json_attributes_template": "{{ {'why': value_json.kiosk.why} | tojson }}",
            **_named(device, "kiosk", "sensor"),
        }
    if "mute" in commands:
        components["mute"] = {
            "platform": "switch",
            "name": "Mute",
            "icon": "mdi:microphone-off",
            "command_topic": f"{base}/cmd/mute",
            "command_template": _command('"on": {{ "true" if value == "ON" else "false" }}'),
            "value_template": "{{ 'ON' if value_json.muted else 'OFF' }}",
            **_named(device, "mute", "switch"),
        }
    if "restart" in commands:
        components["restart"] = {
            "platform": "button",
            "name": "Restart",
            "device_class": "restart",
            "entity_category": "config",
            "command_topic": f"{base}/cmd/restart",
            "command_template": _command(""),
            **_named(device, "restart", "button"),
        }
    components["slow"] = {
        "platform": "binary_sensor",
        "name": "Slow",
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.slow else 'OFF' }}",
        **_named(device, "slow", "binary_sensor"),
    }
    about = {"name": f"Frontdesk {device}", "manufacturer": "Frontdesk", "model": "Voice agent", "sw_version": version}
    return {
        "device": {"identifiers": [_id(device)], **about},
        "origin": {"name": "frontdesk", "sw_version": version},
        "availability": [
            {"topic": f"{base}/status", "payload_available": "online", "payload_not_available": "offline"}
        ],
        "state_topic": f"{base}/state",
        "qos": 0,
        "components": components,
    }


def _sensor(device: str, key: str, sensor: Sensor) -> dict[str, Any]:
    optional = {
        "unit_of_measurement": sensor.unit,
        "device_class": sensor.kind,
        "icon": sensor.icon,
        "entity_category": "diagnostic" if sensor.diagnostic else "",
    }
    return {
        "platform": "sensor",
        "name": sensor.name,
        "state_class": "measurement",
        "value_template": f"{{{{ value_json.{sensor.of} }}}}",
        **{name: value for name, value in optional.items() if value},
        **_named(device, key, "sensor"),
    }


def _command(arguments: str) -> str:
    """A template; each press has an id of its own, or it would be taken for a repetition of the last."""
    return f'{{"id": "ha-{{{{ now().timestamp() }}}}", "args": {{{arguments}}}}}'


def _named(device: str, key: str, platform: str) -> dict[str, str]:
    own = f"{_id(device)}_{key}"
    return {"unique_id": own, "default_entity_id": f"{platform}.{own.lower().replace('-', '_')}"}


def _id(device: str) -> str:
    """As Home Assistant takes ids: letters, digits, `_` and `-`."""
    return "frontdesk_" + re.sub(r"[^A-Za-z0-9_-]", "_", device)
