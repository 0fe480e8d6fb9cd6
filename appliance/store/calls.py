"""Calls that were, and their turns, in SQLite: the newest, for so many days."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call TEXT PRIMARY KEY, started TEXT NOT NULL, over INTEGER NOT NULL, summary TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_start ON calls (started);
CREATE TABLE IF NOT EXISTS turns (
    call TEXT NOT NULL, turn INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (call, turn)
) WITHOUT ROWID;
"""
MEND = "Free some space: the device's calls cannot be kept."
MOST_CALLS = 20_000
AT_ONCE = 200
TOO_OLD = "SELECT call FROM calls WHERE started < ? ORDER BY started"
TOO_MANY = "SELECT call FROM (SELECT * FROM calls ORDER BY started DESC LIMIT -1 OFFSET ?) ORDER BY started"
CUT_SHORT = "device stopped"


class CallStore:
    """A call's summary is `CallBook`'s: JSON values with `call`, `started` (RFC 3339, UTC), `state` and `reason`.

    Raises DeviceError where the disk cannot be read or written.
    """

    def __init__(self, path: Path, *, most: int = MOST_CALLS) -> None:
        self._most = most
        # A call is no event that was promised: the last second of one may go with the power.
        self._database = Database(path, SCHEMA, synchronous="NORMAL", mend=MEND)
        self._cut_short()

    def keep(self, summary: dict[str, Any], turn: dict[str, Any] | None = None) -> None:
        """A call as it stands now, and its latest turn."""
        call, over = summary["call"], summary["state"] == "ended"
        with self._database.writing() as database:
            row = (call, summary["started"], over, json.dumps(summary, ensure_ascii=False))
            database.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", row)
            if turn is not None:
                values = (call, turn["turn"], json.dumps(turn, ensure_ascii=False))
                database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", values)

    def calls(self, most: int) -> list[dict[str, Any]]:
        """Summaries, the newest first."""
        rows = self._database.rows("SELECT summary FROM calls ORDER BY started DESC LIMIT ?", (most,))
        return [json.loads(summary) for (summary,) in rows]

    def call(self, name: str) -> dict[str, Any] | None:
        """One with its turn events, or None."""
        rows = self._database.rows("SELECT summary FROM calls WHERE call = ?", (name,))
        if not rows:
            return None
        turns = self._database.rows("SELECT event FROM turns WHERE call = ? ORDER BY turn", (name,))
        return {**json.loads(rows[0][0]), "turn_events": [json.loads(event) for (event,) in turns]}

    def prune(self, before: str) -> None:
        """Forget what began before (RFC 3339, UTC), and the oldest where there are too many.

        Only some at a time: a clock that jumps years ahead for a while should not cost all of them.
        """
        with self._database.writing() as database:
            for some, value in ((TOO_OLD, before), (TOO_MANY, self._most)):
                database.execute(f"DELETE FROM calls WHERE call IN ({some} LIMIT {AT_ONCE})", (value,))
            database.execute("DELETE FROM turns WHERE call NOT IN (SELECT call FROM calls)")

    def close(self) -> None:
        self._database.close()

    def _cut_short(self) -> None:
        """Calls that the device did not live to see the end of."""
        with self._database.writing() as database:
            for call, text in database.execute("SELECT call, summary FROM calls WHERE NOT over").fetchall():
                summary = {**json.loads(text), "state": "ended", "reason": CUT_SHORT}
                values = (json.dumps(summary, ensure_ascii=False), call)
                database.execute("UPDATE calls SET over = 1, summary = ? WHERE call = ?", values)
