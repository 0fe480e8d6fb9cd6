"""What `frontdesk run` shows: a line for each thing that happens, and on a terminal one that says how it goes.

Under systemd every event and every log record is one JSON object on stderr. What was said is shown in neither.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import segno
from rich.console import Console
from rich.live import Live
from rich.text import Text

from appliance.terms.clock import SystemClock, rfc3339
from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallRefused,
    CallStarted,
    Caption,
    EngineChanged,
    Event,
    FillerSpoken,
    NetworkMeasured,
    ReplyHeard,
    SoundDeviceChanged,
    SourceBanned,
    StateChanged,
    TurnEnded,
    as_json,
)

LATELY = 100
"""The figures are those of so many turns."""
LIVE_ONLY = (Caption, ReplyHeard, StateChanged, NetworkMeasured)
"""They come many times a second, and are nobody's business but the caller's."""


class Terminal:
    """For people: lines, and on a real terminal a last one that is kept up to date."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live: Live | None = None
        self._ready = False
        self._calls: set[str] = set()
        self._turns = 0
        self._down: set[str] = set()
        self._times: deque[float] = deque(maxlen=LATELY)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the device runs."""
        self.say("Frontdesk is warming up …")
        if self._console.is_terminal:
            self._live = Live(Text(), console=self._console, auto_refresh=False, transient=True)
            with self._live:
                yield
            self._live = None
        else:
            yield
        self.say("Frontdesk has stopped.")

    def say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)
        if not self._console.is_terminal:
            sys.stdout.flush()

    def ready(self, url: str, welcome: str) -> None:
        self.say(f"Frontdesk is ready: {url}")
        if welcome:
            self.say(f"Phones and other computers on this network: {welcome}")
            self.say("(Their browser warns once of the device's own certificate; that page explains it.)")
            if self._console.is_terminal:
                segno.make(welcome, error="m").terminal(compact=True)
        self._ready = True
        self._update()

    def tell(self, event: Event) -> None:
        """A line for what an owner wants to see."""
        match event:
            case CallStarted():
                self._calls.add(event.call)
                self.say(f"call {event.call[:6]} {'is back' if event.resumed else 'began'} ({event.door})")
            case CallEnded():
                self._calls.discard(event.call)
                self.say(f"call {event.call[:6]} ended after {event.duration_s:.0f} s: {event.reason}")
            case TurnEnded():
                self._turns += 1
                if event.e2a_ms is not None:
                    self._times.append(event.e2a_ms)
                reply = f"replied after {event.e2a_ms:.0f} ms" if event.e2a_ms is not None else "no reply"
                self.say(f"call {event.call[:6]} turn {event.turn}: {reply}")
            case CallRefused():
                self.say(f"a caller was refused: {event.why}")
            case AccountChanged(registered=True):
                self.say(f"{event.account} is registered")
            case AccountChanged():
                self.say(f"{event.account} is not registered: {event.why}")
            case SourceBanned():
                self.say(f"{event.source} knocks too often and is ignored for a while")
            case SoundDeviceChanged(works=True):
                self.say(f"the kiosk's {event.device} works again")
            case FillerSpoken(apology=True):
                self.say(f"call {event.call[:6]} turn {event.turn}: an apology, no reply was ready in time")
            case EngineChanged(ready=False):
                self._down.add(event.engine)
                self.say(f"{event.engine} is down: {event.why}")
            case EngineChanged():
                self._down.discard(event.engine)
                if event.restarts:
                    self.say(f"{event.engine} is back")
        self._update()

    def status(self) -> str:
        """How it goes, in a line."""
        calls = "no call" if not self._calls else f"{len(self._calls)} call{'s' * (len(self._calls) > 1)}"
        parts = [calls, f"{self._turns} turn{'s' * (self._turns != 1)}"]
        if self._times:
            times = sorted(self._times)
            late = times[min(len(times) - 1, int(len(times) * 0.95))]
            parts.append(f"reply after {statistics.median(times):.0f} ms (p95 {late:.0f})")
        parts.append(f"down: {', '.join(sorted(self._down))}" if self._down else "all engines ready")
        return " · ".join(parts)

    def _update(self) -> None:
        if self._live is not None and self._ready:
            self._live.update(Text(self.status(), style="dim"), refresh=True)


class Journal:
    """For machines: under systemd, one JSON object a line."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        yield

    def ready(self, url: str, welcome: str) -> None:
        self._print({"type": "ready", "url": url, "welcome": welcome})

    def tell(self, event: Event) -> None:
        if not isinstance(event, LIVE_ONLY):
            self._print(as_json(event, words=False))

    @staticmethod
    def _print(values: dict[str, Any]) -> None:
        print(json.dumps({"ts": rfc3339(SystemClock().utc()), **values}), file=sys.stderr, flush=True)


class JsonRecords(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        values = {
            "ts": rfc3339(SystemClock().utc()),
            "type": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        values["message"] = record.getMessage()
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values)


def open_terminal(environ: Mapping[str, str], *, verbose: bool) -> Terminal | Journal:
    """Sets logging up too, for whoever will read it."""
    handler = logging.StreamHandler()
    service = "INVOCATION_ID" in environ and "JOURNAL_STREAM" in environ
    handler.setFormatter(JsonRecords() if service else logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    return Journal() if service else Terminal()
