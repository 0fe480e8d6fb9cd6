"""Configuration from afar: what is taken over, what is refused and why, and that it outlives a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.app.desired import FILE, Desired
from appliance.app.settings import changed
from appliance.terms.config import Config, TurnsConfig
from appliance.terms.errors import ConfigError

ALLOWED = ["turns.*", "agent.*", "telemetry.*", "mqtt.*", "sip.*", "cloud.*"]


class Device:
    """Takes over turns and agent at once, the rest at its next start."""

    def __init__(self, state: Path, allowed: list[str] | None = None) -> None:
        self.desired = Desired(state, ALLOWED if allowed is None else allowed)
        self.owners = Config()
        self.config = self.desired.over(self.owners)
        self.refuses = False

    async def apply(self, config: Config) -> list[str]:
        if self.refuses:
            raise ConfigError(["agent: too long for the language model"])
        pending = [key for key in changed(self.config, config) if not key.startswith(("turns.", "agent."))]
        self.config = config
        return pending

    async def wish(self, version: Any = 1, **values: Any) -> dict[str, Any]:
        payload = json.dumps({"version": version, "set": {key.replace("__", "."): v for key, v in values.items()}})
        return await self.desired.take(payload.encode(), self.owners, self.apply)


async def test_what_is_allowed_is_taken_over_and_kept(tmp_path: Path) -> None:
    device = Device(tmp_path)
    report = await device.wish("7a", turns__patience=1.5, telemetry__period=60)
    values = {"turns.patience": 1.5, "telemetry.period": 60}
    assert report == {"version": "7a", "set": values, "pending": ["telemetry.period"], "refused": {}, "error": None}
    assert device.config.turns.patience == 1.5
    again = Device(tmp_path)
    assert (again.config.turns.patience, again.config.telemetry.period) == (1.5, 60.0)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


async def test_what_is_no_longer_wished_is_as_the_owner_wrote_it(tmp_path: Path) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5)
    await device.wish(2, turns__silence_s=20)
    assert (device.config.turns.patience, device.config.turns.silence_s) == (1.0, 20.0)
    assert (await device.desired.take(b"", device.owners, device.apply))["set"] == {}
    assert device.config == Config()


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("llm.model", "big", "does not allow"),
        ("turns.patiense", 1.5, "turns.patience"),
        ("turns.patience", 99, "less than"),
        ("turns.patience", "long", "number"),
        ("mqtt.commands", ["restart"], "only be set at the device"),
        ("sip.password", "x", "only be set at the device"),
        ("cloud.providers", [], "only be set at the device"),
        ("agent.knowledge", "/etc/shadow", "only be set at the device"),
        ("telemetry.text", True, "only be set at the device"),
        ("turns", 1, "does not allow"),
        ("", 1, "does not allow"),
    ],
)
async def test_the_rest_is_refused_with_the_reason_and_does_no_harm(
    tmp_path: Path, key: str, value: Any, why: str
) -> None:
    device = Device(tmp_path)
    report = await device.wish(3, **{key: value, "turns.silence_s": 20})
    assert why in report["refused"][key]
    assert report["set"] == {"turns.silence_s": 20}
    assert device.config.turns.silence_s == 20


async def test_what_cannot_be_used_together_changes_nothing(tmp_path: Path) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5)
    device.refuses = True
    report = await device.wish(2, agent__greeting="Hello. " * 1000)
    assert "too long" in report["error"]
    assert report["set"] == {"turns.patience": 1.5}
    assert Device(tmp_path).config.turns.patience == 1.5


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"[]", b"{}", b'{"set": {}}', b'{"version": [1], "set": {}}', b'{"version": 1, "set": 3}', b"x" * 50_000],
)
async def test_what_makes_no_sense_is_an_error_and_does_no_harm(tmp_path: Path, payload: bytes) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5)
    report = await device.desired.take(payload, device.owners, device.apply)
    assert report["error"]
    assert report["set"] == {"turns.patience": 1.5}


async def test_what_was_kept_and_fits_no_more_is_left_out(tmp_path: Path) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5, agent__greeting="Hi.")
    assert Device(tmp_path, allowed=["agent.*"]).config.turns == TurnsConfig()
    (tmp_path / FILE).write_text('{"turns.patience": 99}')
    assert Device(tmp_path).config == Config()
    (tmp_path / FILE).write_text("rubbish")
    assert Device(tmp_path).config == Config()


async def test_what_the_owner_changes_goes_on_under_it(tmp_path: Path) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5)
    owners = replace(Config(), turns=TurnsConfig(silence_s=30, patience=2))
    over = device.desired.over(owners)
    assert (over.turns.silence_s, over.turns.patience) == (30, 1.5)


async def test_what_kept_the_device_from_starting_is_not_taken_again(tmp_path: Path) -> None:
    device = Device(tmp_path)
    await device.wish(1, turns__patience=1.5)
    assert device.desired.set_aside("no such model")
    assert not Desired(tmp_path, ALLOWED).set_aside("again"), "nothing is wished any more"
    again = Device(tmp_path)
    assert again.config == Config()
    report = await again.wish(1, turns__patience=1.5)
    assert "no such model" in report["error"]
    assert again.config == Config()
    assert (await again.wish(2, turns__patience=1.4))["error"] is None


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=300)
    | st.dictionaries(st.text(), st.text() | st.integers() | st.none()).map(
        lambda values: json.dumps({"version": 1, "set": values}).encode()
    )
)
async def test_nothing_that_is_sent_raises(tmp_path_factory: pytest.TempPathFactory, payload: bytes) -> None:
    device = Device(tmp_path_factory.mktemp("desired"))
    report = await device.desired.take(payload, device.owners, device.apply)
    assert device.config == Config()
    json.dumps(report)
