"""Who has called before: a number and a name, for as long as the owner allows."""

from __future__ import annotations

from pathlib import Path

from .database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS callers (number TEXT PRIMARY KEY, name TEXT NOT NULL, seen TEXT NOT NULL) WITHOUT ROWID;
"""
MEND = "Free some space: callers cannot be remembered."
MOST = 20_000


class CallerStore:
    """Times are RFC 3339, UTC. Raises DeviceError where the disk cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, mend=MEND)

    def remember(self, number: str, name: str, seen: str) -> None:
        """Of too many, who has not called for longest goes."""
        with self._database.writing() as database:
            database.execute("INSERT OR REPLACE INTO callers VALUES (?, ?, ?)", (number, name, seen))
            oldest = "SELECT number FROM callers ORDER BY seen DESC LIMIT -1 OFFSET ?"
            database.execute(f"DELETE FROM callers WHERE number IN ({oldest})", (MOST,))

    def name(self, number: str, since: str) -> str:
        """Of who has called with it, not before `since`; empty where nobody knows."""
        rows = self._database.rows("SELECT name FROM callers WHERE number = ? AND seen >= ?", (number, since))
        return str(rows[0][0]) if rows else ""

    def forget(self, number: str) -> None:
        with self._database.writing() as database:
            database.execute("DELETE FROM callers WHERE number = ?", (number,))

    def forget_before(self, seen: str) -> None:
        with self._database.writing() as database:
            database.execute("DELETE FROM callers WHERE seen < ?", (seen,))

    def close(self) -> None:
        self._database.close()
