"""The device's calls: those since its start as the book has them, and older ones from the disk."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from appliance.store.background import Background
from appliance.store.calls import CallStore
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.events import CallEnded, CallPlaced, CallStarted, CallTransferred, Event, TurnEnded, as_json

from .book import CallBook

MOST = 200
PRUNE_EVERY = 100
"""Calls."""


class Archive:
    """Fed with every event. On the disk are no words, unless `words`: what was said is in the memory of this start."""

    def __init__(
        self, book: CallBook, store: CallStore | None, background: Background, clock: Clock, *, words: bool, days: int
    ) -> None:
        """Without a `store`, or with 0 `days`, nothing outlives the device's start."""
        self._book = book
        self._store = store
        self._background = background
        self._clock = clock
        self._words = words
        self._days = days
        self._begun = 0

    def note(self, event: Event) -> None:
        self._book.note(event, rfc3339(self._clock.utc()))
        if self._store is None or not isinstance(
            event, CallStarted | CallEnded | CallPlaced | CallTransferred | TurnEnded
        ):
            return
        summary = self._book.summary(event.call)
        if summary is None:
            return
        if not self._words:
            summary = {**summary, "caller": None, "keys": None, "transferred": None}
        turn = as_json(event, words=self._words) if isinstance(event, TurnEnded) else None
        self._background.do(partial(self._store.keep, summary, turn))
        if isinstance(event, CallStarted) and self._begun % PRUNE_EVERY == 0:
            oldest = rfc3339(self._clock.utc() - timedelta(days=self._days))
            self._background.do(partial(self._store.prune, oldest))
        self._begun += isinstance(event, CallStarted)

    async def calls(self) -> list[dict[str, Any]]:
        """A summary of each, the newest first. Raises DeviceError."""
        here = self._book.calls()
        known = {call["call"] for call in here}
        older = [] if self._store is None else await asyncio.to_thread(self._store.calls, MOST)
        return [*here, *(call for call in older if call["call"] not in known)][:MOST]

    async def call(self, name: str) -> dict[str, Any] | None:
        """One with its turn events, or None. Raises DeviceError."""
        found = self._book.call(name)
        if found is not None or self._store is None:
            return found
        return await asyncio.to_thread(self._store.call, name)
