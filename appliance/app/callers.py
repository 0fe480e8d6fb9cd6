"""Callers who have called before, if the owner allows that they are remembered."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial
from pathlib import Path

from appliance.knowledge.dictation import number_of
from appliance.store.background import Background
from appliance.store.callers import CallerStore
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.errors import DeviceError
from appliance.terms.events import CallEnded, CallerForgotten, CallStarted, Event, MessageTaken

log = logging.getLogger(__name__)

FILE = "callers.db"


class Callers:
    """Fed with every event: who leaves a message is known by their name when they call again from that number, for so
    many days; who asks for it is forgotten."""

    def __init__(self, state: Path, days: int, clock: Clock) -> None:
        """Raises DeviceError where they cannot be kept."""
        self._store = CallerStore(state / FILE)
        self._days = days
        self._clock = clock
        self._numbers: dict[str, str] = {}
        """Of the calls that are held."""
        self._background = Background()

    async def name(self, caller: str) -> str:
        """Who calls from that address; empty where nobody knows."""
        number = number_of(caller)
        if not number:
            return ""
        try:
            return await asyncio.to_thread(self._store.name, number, self._since())
        except DeviceError as error:
            log.warning("%s", error)
            return ""

    def note(self, event: Event) -> None:
        match event:
            case CallStarted():
                self._numbers[event.call] = number_of(event.caller)
            case CallEnded():
                self._numbers.pop(event.call, None)
                self._background.do(self._forget_old)
            case MessageTaken() if event.name and (number := self._numbers.get(event.call)):
                self._background.do(partial(self._store.remember, number, event.name, rfc3339(self._clock.utc())))
            case CallerForgotten() if number := self._numbers.get(event.call):
                self._background.do(partial(self._store.forget, number))

    def start(self) -> None:
        self._background.start()
        self._background.do(self._forget_old)

    def stop(self) -> None:
        self._background.stop()
        self._store.close()

    def _forget_old(self) -> None:
        self._store.forget_before(self._since())

    def _since(self) -> str:
        return rfc3339(self._clock.utc() - timedelta(days=self._days))
