"""What the device keeps of what happened, on its own disk: the journal, and the calls."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path

from appliance.control.archive import Archive
from appliance.control.book import CallBook
from appliance.store.background import Background
from appliance.store.calls import CallStore
from appliance.telemetry.journal import Journal
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.config import TelemetryConfig
from appliance.terms.errors import DeviceError
from appliance.terms.events import Event, as_json

log = logging.getLogger(__name__)

CALLS = "calls.db"


class Records:
    """Fed with every event. No disk keeps a call waiting, and none ends the device: what cannot be kept is told in the
    log."""

    def __init__(self, config: TelemetryConfig, state: Path, clock: Clock) -> None:
        self._clock = clock
        self._words = config.text
        self._background = Background()
        self._store = _calls(state / CALLS) if config.calls_days else None
        self._journal = Journal(state, most_bytes=config.journal_mb * 1_000_000) if config.journal_mb else None
        self.archive = Archive(
            CallBook(), self._store, self._background, clock, words=config.text, days=config.calls_days
        )

    def note(self, event: Event) -> None:
        self.archive.note(event)
        if self._journal is not None:
            values = {"at": rfc3339(self._clock.utc()), **as_json(event, words=self._words)}
            self._background.do(partial(self._journal.write, json.dumps(values, ensure_ascii=False)))

    @property
    def dropped(self) -> int:
        """What could not be kept: the disk is full, or stands still."""
        return self._background.dropped

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        """Waits for the disk, a little."""
        self._background.stop()
        if self._journal is not None:
            self._journal.close()
        if self._store is not None:
            self._store.close()


def _calls(path: Path) -> CallStore | None:
    try:
        return CallStore(path)
    except DeviceError as error:
        log.error("calls cannot be kept: %s", error)
        return None
