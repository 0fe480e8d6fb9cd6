"""The device's name, and what it keeps although its clock jumps."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.app.telemetry import device
from appliance.bench.sample import TURN
from appliance.store.outbox import Item
from appliance.telemetry.reporter import Reporter
from appliance.terms.clock import rfc3339
from appliance.terms.config import Config, MqttConfig
from appliance.terms.errors import ConfigError


def named(name: str) -> str:
    return device(replace(Config(), mqtt=MqttConfig(device=name)))


@pytest.mark.parametrize("name", ["lobby/1", "lobby#", "+", "a b", "../x", "ü", "x" * 65, ".hidden", "a\n", "$SYS"])
def test_a_name_that_would_be_another_topic_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.device"):
        named(name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_any_other_is_taken_as_it_is(name: str) -> None:
    assert named(name) == name


def test_without_one_it_is_the_computers() -> None:
    assert named("")


def test_a_clock_that_jumps_changes_neither_the_order_nor_the_figures() -> None:
    items: list[Item] = []
    reporter = Reporter(items.append, 1, text=False, alert_p50_ms=600, alert_p95_ms=1200)
    now = datetime(2026, 1, 31, tzinfo=UTC)
    for number, jump in enumerate((0, -20, 40, -60, 5)):
        reporter.note(replace(TURN, turn=number), float(number), rfc3339(now + timedelta(days=365 * jump)))
    assert [item.seq for item in items] == [1, 2, 3, 4, 5]
    assert [json.loads(item.payload)["turn"] for item in items] == [0, 1, 2, 3, 4]
    assert reporter.state(5.0)["turns"]["sip"]["count"] == 5
