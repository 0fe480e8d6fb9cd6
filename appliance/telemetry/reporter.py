"""What of all that happens leaves the device, and in which form: turns, calls, alerts, and how it stands. Pure.

Words, callers and keys stay here unless the owner says otherwise (`telemetry.text`).
"""

from __future__ import annotations

import json
import statistics
from collections import deque
from collections.abc import Callable, Mapping
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
    MessageTaken,
    ProviderChanged,
    Route,
    SoundDeviceChanged,
    SourceBanned,
    ToolUsed,
    TurnEnded,
    VisitorArrived,
    as_json,
)

from .alerts import Latch, Rule, Watch

TOPICS: dict[type, str] = {
    TurnEnded: "turn",
    CallStarted: "call",
    CallEnded: "call",
    CallPlaced: "call",
    CallRefused: "call",
    CallTransferred: "call",
    MessageTaken: "call",
    VisitorArrived: "call",
    ToolUsed: "call",
    EngineChanged: "alert",
    AccountChanged: "alert",
    ProviderChanged: "alert",
    SourceBanned: "alert",
    SoundDeviceChanged: "alert",
}
RANKS = {"turn": 0, "call": 1, "alert": 2}
"""What a full outbox gives up first."""
HOUR_S = 3600.0
MOST_TURNS = 5000
SLOW_TURNS = 20
"""A device is slow when so many turns in a row say so, and no longer slow at nine tenths of the bar."""
CALM = 0.9
NETWORK = ("rtt_ms", "jitter_ms", "loss_in", "loss_out", "buffer_ms", "bitrate")


class Reporter:
    """Fed with every event; gives `send` numbered items."""

    def __init__(
        self, send: Callable[[Item], None], boot: int, *, text: bool, alert_p50_ms: float, alert_p95_ms: float
    ) -> None:
        self._send = send
        self._boot = boot
        self._text = text
        self._very_slow_ms = 2 * alert_p95_ms
        self._slow = {
            percent: Latch(
                Rule(bad="turns.slow", good="turns.quick", figure=f"p{percent}_ms", bar=bar, calm=CALM * bar)
            )
            for percent, bar in ((50, alert_p50_ms), (95, alert_p95_ms))
        }
        self._abroad = Latch(Rule(bad="cloud.living", good="cloud.home", figure="share", bar=0.5, calm=0.2))
        self._watch = Watch()
        self._seq = 0
        self._turns: deque[tuple[float, TurnEnded]] = deque(maxlen=MOST_TURNS)
        """Those that were answered, and when."""
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
            self._tell(TOPICS[type(event)], as_json(event, words=self._text), ts)
        if isinstance(event, TurnEnded) and event.e2a_ms is not None:
            self._turns.append((now, event))
            self._weigh(event, ts)

    def gave_up(self, lost: list[Lost], ts: str) -> None:
        """The outbox was full."""
        for one in lost:
            about = {"count": one.count, "of_boot": one.boot, "first_seq": one.first, "last_seq": one.last}
            self._tell("alert", {"type": "events.lost", **about}, ts)

    def look(self, figures: Mapping[str, Any], ts: str) -> None:
        """How the computer stands (`Host.measure`), for alerts."""
        for alert in self._watch.weigh(figures):
            self._tell("alert", alert, ts)

    def state(self, now: float) -> dict[str, Any]:
        """How the device stands, for its retained topic."""
        lately = [turn for at, turn in self._turns if now - at < HOUR_S]
        doors = {door: [turn for turn in lately if turn.door == door] for door in sorted({t.door for t in lately})}
        return {
            "boot": self._boot,
            "calls": len(self._calls),
            **_quantiles(lately),
            "turns": {door: {"count": len(turns), **_quantiles(turns)} for door, turns in doors.items()},
            "local": _local(lately),
            "network": _network(lately),
            "engines": {name: {"ready": e.ready, "restarts": e.restarts} for name, e in self._engines.items()},
            "accounts": self._accounts,
            "slow": any(latch.on for latch in self._slow.values()),
        }

    def _weigh(self, turn: TurnEnded, ts: str) -> None:
        """An alert where turns have become slow, once; and one where they are quick again."""
        assert turn.e2a_ms is not None
        if turn.e2a_ms > self._very_slow_ms:
            self._tell("alert", {"type": "turn.slow", "call": turn.call, "e2a_ms": turn.e2a_ms}, ts)
        times = [turn.e2a_ms or 0.0 for _, turn in self._turns][-SLOW_TURNS:]
        if len(times) == SLOW_TURNS:
            for percent, value in ((50, statistics.median(times)), (95, sorted(times)[-2])):
                if (alert := self._slow[percent].weigh(value)) is not None:
                    self._tell("alert", alert, ts)
            lately = [turn for _, turn in self._turns][-SLOW_TURNS:]
            if (alert := self._abroad.weigh(1 - (_local(lately) or 0.0))) is not None:
                self._tell("alert", alert, ts)

    def _tell(self, topic: str, values: dict[str, Any], ts: str) -> None:
        self._seq += 1
        kind = values.pop("type")
        values.pop("ts", None)
        head = {"type": kind, "boot": self._boot, "seq": self._seq, "ts": ts, "historical": False}
        payload = json.dumps({**head, **values}, ensure_ascii=False).encode()
        self._send(Item(boot=self._boot, seq=self._seq, rank=RANKS[topic], topic=topic, payload=payload))


def _quantiles(turns: list[TurnEnded]) -> dict[str, float | None]:
    ordered = sorted(turn.e2a_ms for turn in turns if turn.e2a_ms is not None)
    if not ordered:
        return {"p50_ms": None, "p95_ms": None}
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
    }


def _local(turns: list[TurnEnded]) -> float | None:
    """The share of them that was computed on the device alone."""
    return round(sum(turn.route == Route() for turn in turns) / len(turns), 3) if turns else None


def _network(turns: list[TurnEnded]) -> dict[str, float | None]:
    """Medians over the turns whose line could tell."""
    lines = [turn.network for turn in turns if turn.network is not None]
    values = {name: [value for line in lines if (value := getattr(line, name)) is not None] for name in NETWORK}
    return {name: round(statistics.median(found), 3) if found else None for name, found in values.items()}
