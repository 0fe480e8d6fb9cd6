"""What of all that happens leaves the device, and in which form: turns, calls, alerts, and how it stands. Pure.

Words, callers and keys stay here unless the owner says otherwise (`telemetry.text`).
"""

from __future__ import annotations

import json
import statistics
from collections import deque
from collections.abc import Callable
from typing import Any

from appliance.store.outbox import Item, Lost
from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    EngineChanged,
    Event,
    SourceBanned,
    TurnEnded,
    as_json,
)

WORDS = ("transcript", "reply", "caller", "to", "text", "key")
TOPICS: dict[type, str] = {
    TurnEnded: "turn",
    CallStarted: "call",
    CallEnded: "call",
    CallPlaced: "call",
    CallRefused: "call",
    CallTransferred: "call",
    EngineChanged: "alert",
    AccountChanged: "alert",
    SourceBanned: "alert",
}
RANKS = {"turn": 0, "call": 1, "alert": 2}
"""What a full outbox gives up first."""
HOUR_S = 3600.0
MOST_TURNS = 5000
SLOW_TURNS = 20
"""A device is slow when so many turns in a row say so, and no longer slow at nine tenths of the bar."""
CALM = 0.9


class Reporter:
    """Fed with every event; gives `send` numbered items."""

    def __init__(
        self, send: Callable[[Item], None], boot: int, *, text: bool, alert_p50_ms: float, alert_p95_ms: float
    ) -> None:
        self._send = send
        self._boot = boot
        self._text = text
        self._bars = {50: alert_p50_ms, 95: alert_p95_ms}
        self._slow: set[int] = set()
        self._seq = 0
        self._turns: deque[tuple[float, str, float]] = deque(maxlen=MOST_TURNS)
        """When, by which door, and how long the caller waited."""
        self._calls: dict[str, str] = {}
        self._engines: dict[str, EngineChanged] = {}
        self._accounts: dict[str, bool] = {}

    def note(self, event: Event, now: float, ts: str) -> None:
        """`now`: seconds of a monotonic clock; `ts`: RFC 3339, UTC."""
        match event:
            case CallStarted():
                self._calls[event.call] = event.door
            case CallEnded():
                self._calls.pop(event.call, None)
            case EngineChanged():
                self._engines[event.engine] = event
                if event.ready and not event.restarts:
                    return  # it has just started, as it should
            case AccountChanged():
                self._accounts[event.account] = event.registered
        if type(event) in TOPICS:
            self._tell(TOPICS[type(event)], self._plain(event), ts)
        if isinstance(event, TurnEnded) and event.e2a_ms is not None:
            self._turns.append((now, event.door, event.e2a_ms))
            self._weigh(event, ts)

    def gave_up(self, lost: list[Lost], ts: str) -> None:
        """The outbox was full."""
        for one in lost:
            about = {"count": one.count, "of_boot": one.boot, "first_seq": one.first, "last_seq": one.last}
            self._tell("alert", {"type": "events.lost", **about}, ts)

    def state(self, now: float) -> dict[str, Any]:
        """How the device stands, for its retained topic."""
        lately = [(door, ms) for at, door, ms in self._turns if now - at < HOUR_S]
        doors = {door: [ms for d, ms in lately if d == door] for door in sorted({door for door, _ in lately})}
        return {
            "boot": self._boot,
            "calls": len(self._calls),
            **_quantiles([ms for _, ms in lately]),
            "turns": {door: {"count": len(times), **_quantiles(times)} for door, times in doors.items()},
            "engines": {name: {"ready": e.ready, "restarts": e.restarts} for name, e in self._engines.items()},
            "accounts": self._accounts,
            "slow": bool(self._slow),
        }

    def _weigh(self, turn: TurnEnded, ts: str) -> None:
        """An alert where turns have become slow, once; and one where they are quick again."""
        assert turn.e2a_ms is not None
        if turn.e2a_ms > 2 * self._bars[95]:
            self._tell("alert", {"type": "turn.slow", "call": turn.call, "e2a_ms": turn.e2a_ms}, ts)
        times = [ms for _, _, ms in self._turns][-SLOW_TURNS:]
        if len(times) < SLOW_TURNS:
            return
        for percent, value in ((50, statistics.median(times)), (95, sorted(times)[-2])):
            was, bar = percent in self._slow, self._bars[percent]
            if value > bar if not was else value < CALM * bar:
                (self._slow.discard if was else self._slow.add)(percent)
                about = {"percentile": percent, "ms": round(value, 1), "bar_ms": bar}
                self._tell("alert", {"type": "turns.quick" if was else "turns.slow", **about}, ts)

    def _plain(self, event: Event) -> dict[str, Any]:
        values = as_json(event)
        return values if self._text else {key: None if key in WORDS else value for key, value in values.items()}

    def _tell(self, topic: str, values: dict[str, Any], ts: str) -> None:
        self._seq += 1
        kind = values.pop("type")
        values.pop("ts", None)
        head = {"type": kind, "boot": self._boot, "seq": self._seq, "ts": ts, "historical": False}
        payload = json.dumps({**head, **values}, ensure_ascii=False).encode()
        self._send(Item(boot=self._boot, seq=self._seq, rank=RANKS[topic], topic=topic, payload=payload))


def _quantiles(times: list[float]) -> dict[str, float | None]:
    ordered = sorted(times)
    if not ordered:
        return {"p50_ms": None, "p95_ms": None}
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
    }
