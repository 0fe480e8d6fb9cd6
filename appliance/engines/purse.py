"""What providers may cost: requests at once and a minute, money an hour and a day. Pure.

Hours and days are those of UTC; what was spent is kept over restarts by whoever asks for `spent` and gives it back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.terms.config import CloudProvider

MINUTE_S = 60.0
MILLION = 1_000_000
HOUR_CHARACTERS, DAY_CHARACTERS = 13, 10
"""Of an RFC 3339 time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a request used."""

    tokens_in: int = 0
    tokens_out: int = 0
    audio_s: float = 0.0
    characters: int = 0

    def price(self, provider: CloudProvider) -> float:
        return (
            self.tokens_in * provider.price_input / MILLION
            + self.tokens_out * provider.price_output / MILLION
            + self.audio_s / 60 * provider.price_minute
            + self.characters * provider.price_characters / MILLION
        )


class Purse:
    """The device's. 0: no limit. `ts`: RFC 3339, UTC; `now`: seconds of a monotonic clock."""

    def __init__(self, hour: float, day: float, spent: Mapping[str, float] | None = None) -> None:
        """`spent`: by hour (`2026-01-31T12`), of this day."""
        self._most = {HOUR_CHARACTERS: hour, DAY_CHARACTERS: day}
        self._spent = dict(spent or {})
        self._asked: dict[str, deque[float]] = {}
        self._open: dict[str, int] = {}

    def refusal(self, provider: CloudProvider, now: float, ts: str) -> str:
        """Why no request may go to it now, or nothing."""
        asked = self._asked.setdefault(provider.name, deque())
        while asked and now - asked[0] >= MINUTE_S:
            asked.popleft()
        if self._open.get(provider.name, 0) >= provider.concurrency:
            return "too many requests at once"
        if len(asked) >= provider.per_minute:
            return "too many requests a minute"
        for length, most in self._most.items():
            if most and self.spent_in(ts[:length]) >= most:
                return f"the {'hour' if length == HOUR_CHARACTERS else 'day'}'s money is spent"
        return ""

    def begin(self, provider: CloudProvider, now: float) -> None:
        """A request goes to it; `end` it."""
        self._asked.setdefault(provider.name, deque()).append(now)
        self._open[provider.name] = self._open.get(provider.name, 0) + 1

    def end(self, provider: CloudProvider, usage: Usage, ts: str) -> float:
        """What it cost."""
        self._open[provider.name] -= 1
        price, hour = usage.price(provider), ts[:HOUR_CHARACTERS]
        if price:
            today = {key: value for key, value in self._spent.items() if key[:DAY_CHARACTERS] == ts[:DAY_CHARACTERS]}
            self._spent = {**today, hour: today.get(hour, 0.0) + price}
        return price

    def spent_in(self, period: str) -> float:
        """In an hour or a day, as a time's beginning."""
        return sum(value for key, value in self._spent.items() if key.startswith(period))

    @property
    def spent(self) -> dict[str, float]:
        """By hour, of the last day on which something was."""
        return dict(self._spent)
