"""An alert is told once when it begins, and once when it is over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.telemetry.alerts import HOST, Latch, Rule, Watch


def told(watch: Watch, figure: str, *values: Any) -> list[str]:
    return [alert["type"] for value in values for alert in watch.weigh({figure: value})]


@pytest.mark.parametrize(
    ("figure", "values", "alerts"),
    [
        ("disk_free_mb", (900, 499, 501, 700, 499, 801, 499), ["disk.low", "disk.ok", "disk.low"]),
        ("temperature_c", (60, 80.5, 79, 81, 74.9), ["hot", "cool"]),
        ("throttled", (False, True, True, False), ["throttled", "unthrottled"]),
        ("certificate_days", (30, 20, 19, 780), ["certificate.ends", "certificate.renewed"]),
        ("memory_free_mb", (None, 100, None, 300), ["memory.low", "memory.ok"]),
    ],
)
def test_a_figure_that_trembles_about_its_bar_is_one_alert(
    figure: str, values: tuple[Any, ...], alerts: list[str]
) -> None:
    assert told(Watch(), figure, *values) == alerts


def test_an_alert_says_how_much_it_is_and_what_the_bar_was() -> None:
    assert Watch().weigh({"disk_free_mb": 123.456}) == [{"type": "disk.low", "disk_free_mb": 123.5, "bar": 500}]


@given(st.sampled_from(HOST), st.lists(st.floats(-1000, 1000)))
def test_beginnings_and_ends_take_turns(rule: Rule, values: list[float]) -> None:
    latch = Latch(rule)
    kinds = [alert["type"] for value in values if (alert := latch.weigh(value)) is not None]
    assert kinds == [(rule.bad, rule.good)[i % 2] for i in range(len(kinds))]
