"""The device's last calls, as it tells them to its owner: kept in memory, the oldest given up for the newest. Pure."""

from __future__ import annotations

import statistics
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    EngineChanged,
    Event,
    KeyPressed,
    ProviderChanged,
    SoundDeviceChanged,
    SourceBanned,
    StateChanged,
    TurnEnded,
    as_json,
)

CALLS = 200
TURNS = 200
"""Of a call so many are kept, the last ones."""
KEYS = 100
OF_NO_CALL = (EngineChanged, CallRefused, AccountChanged, ProviderChanged, SourceBanned, SoundDeviceChanged)
CAME_TO_NOTHING = ("busy", "declined", "no answer", "failed", "message left")


@dataclass(slots=True)
class _Call:
    door: str
    started: str
    caller: str = ""
    state: str = "waiting"
    placed: CallPlaced | None = None
    keys: str = ""
    transferred: str = ""
    ended: CallEnded | None = None
    turns: list[dict[str, Any]] = field(default_factory=list)

    def summary(self, call: str) -> dict[str, Any]:
        waits = [turn["e2a_ms"] for turn in self.turns if turn["e2a_ms"] is not None]
        return {
            "call": call,
            "door": self.door,
            "caller": self.caller or None,
            "started": self.started,
            "state": self._state(),
            "reason": self.ended.reason if self.ended else None,
            "placed": self.placed.progress if self.placed else None,
            "why": (self.placed.why or None) if self.placed else None,
            "keys": self.keys,
            "transferred": self.transferred or None,
            "duration_s": self.ended.duration_s if self.ended else None,
            "turns": self.turns[-1]["turn"] if self.turns else 0,
            "p50_ms": round(statistics.median(waits), 1) if waits else None,
        }

    def _state(self) -> str:
        over = self.placed is not None and self.placed.progress in CAME_TO_NOTHING
        return "ended" if self.ended is not None or over else self.state


class CallBook:
    """Fed with every event. A caller who was lost and comes back goes on with the same call."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    def note(self, event: Event, now: str) -> None:
        """`now`: RFC 3339, UTC."""
        if isinstance(event, OF_NO_CALL):
            return
        if isinstance(event, CallStarted | CallPlaced):
            self._begin(event, now)
        elif (call := self._calls.get(event.call)) is not None:
            match event:
                case CallEnded():
                    call.ended = event
                case KeyPressed():
                    call.keys = (call.keys + event.key)[-KEYS:]
                case CallTransferred(done=True):
                    call.transferred = event.to
                case StateChanged():
                    call.state = event.state
                case TurnEnded():
                    call.turns = [*call.turns[1 - TURNS :], as_json(event)]

    def _begin(self, event: CallStarted | CallPlaced, now: str) -> None:
        call = self._calls.setdefault(event.call, _Call(door=event.door, started=now))
        if isinstance(event, CallPlaced):
            call.caller, call.placed = event.to, event
        else:
            call.caller, call.ended = event.caller or call.caller, None
        self._calls.move_to_end(event.call)
        if len(self._calls) > CALLS:
            self._calls.popitem(last=False)

    def calls(self) -> list[dict[str, Any]]:
        """A summary of each, the newest first."""
        return [call.summary(name) for name, call in reversed(self._calls.items())]

    def summary(self, name: str) -> dict[str, Any] | None:
        """Of one, or None."""
        call = self._calls.get(name)
        return None if call is None else call.summary(name)

    def call(self, name: str) -> dict[str, Any] | None:
        """One with its turn events, or None."""
        call = self._calls.get(name)
        return None if call is None else {**call.summary(name), "turn_events": call.turns}
