"""What is worth an alert, told once when it begins and once when it is over (hysteresis). Pure.

A figure that trembles about its bar would else be an alert every minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`figure` beyond `bar` is `bad`; it is `good` again once it is on the right side of `calm`."""

    bad: str
    good: str
    figure: str
    bar: float
    calm: float
    below: bool = False
    """It is the small values that are bad."""


class Latch:
    """One rule, and whether it is in force."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.on = False

    def weigh(self, value: float) -> dict[str, Any] | None:
        """An alert's values, or None where nothing has changed."""
        rule, sign = self._rule, -1 if self._rule.below else 1
        bar = rule.calm if self.on else rule.bar
        if (sign * value > sign * bar) if not self.on else (sign * value < sign * bar):
            self.on = not self.on
            return {"type": rule.bad if self.on else rule.good, rule.figure: round(value, 1), "bar": rule.bar}
        return None


HOST = (
    Rule(bad="disk.low", good="disk.ok", figure="disk_free_mb", bar=500, calm=800, below=True),
    Rule(bad="memory.low", good="memory.ok", figure="memory_free_mb", bar=150, calm=250, below=True),
    Rule(bad="hot", good="cool", figure="temperature_c", bar=80, calm=75),
    Rule(bad="throttled", good="unthrottled", figure="throttled", bar=0.5, calm=0.5),
    Rule(bad="certificate.ends", good="certificate.renewed", figure="certificate_days", bar=21, calm=22, below=True),
)


class Watch:
    """Looks at the computer's figures."""

    def __init__(self, rules: tuple[Rule, ...] = HOST) -> None:
        self._latches = {rule.figure: Latch(rule) for rule in rules}

    def weigh(self, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Alerts' values. A figure that is null, or not there, says nothing."""
        found = []
        for name, latch in self._latches.items():
            value = figures.get(name)
            if value is not None and (alert := latch.weigh(float(value))) is not None:
                found.append(alert)
        return found
