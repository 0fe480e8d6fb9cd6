"""Messages that callers left: kept until the owner has done with them, and where each was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, taken TEXT NOT NULL, message TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER NOT NULL, way TEXT NOT NULL, sent TEXT, tries INTEGER NOT NULL DEFAULT 0, due TEXT NOT NULL,
    problem TEXT NOT NULL DEFAULT '', PRIMARY KEY (id, way)
) WITHOUT ROWID;
"""
MEND = "Free some space: messages cannot be kept."
MOST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    id: int
    way: str
    tries: int
    message: dict[str, Any]


class MessageStore:
    """Times are RFC 3339, UTC. Raises DeviceError where the disk cannot be read or written."""

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self._most = most
        self._database = Database(path, SCHEMA, mend=MEND)

    def keep(self, message: dict[str, Any], taken: str, ways: tuple[str, ...]) -> int:
        """Its number; it is to be sent by each of those ways. Of too many, the oldest that are done with go first."""
        with self._database.writing() as database:
            values = (taken, json.dumps(message, ensure_ascii=False))
            number = database.execute("INSERT INTO messages (taken, message) VALUES (?, ?)", values).lastrowid or 0
            due = [(number, way, taken) for way in ways]
            database.executemany("INSERT INTO deliveries (id, way, due) VALUES (?, ?, ?)", due)
            oldest = "SELECT id FROM messages ORDER BY done, id DESC LIMIT -1 OFFSET ?"
            database.execute(f"DELETE FROM messages WHERE id IN ({oldest})", (self._most,))
            database.execute("DELETE FROM deliveries WHERE id NOT IN (SELECT id FROM messages)")
        return number

    def messages(self, most: int) -> list[dict[str, Any]]:
        """The newest first, each with its `id`, `taken`, `done`, and of each way when it was `sent`, or why not."""
        query = "SELECT id, taken, done, message FROM messages ORDER BY id DESC LIMIT ?"
        rows = self._database.rows(query, (most,))
        deliveries = self._database.rows("SELECT id, way, sent, problem FROM deliveries")
        sent = {
            number: {way: {"sent": at, "problem": problem} for other, way, at, problem in deliveries if other == number}
            for number, *_ in rows
        }
        return [
            {"id": number, "taken": taken, "done": bool(done), **json.loads(message), "ways": sent[number]}
            for number, taken, done, message in rows
        ]

    def done_with(self, number: int) -> bool:
        """False where there is no such message."""
        with self._database.writing() as database:
            return database.execute("UPDATE messages SET done = 1 WHERE id = ?", (number,)).rowcount > 0

    def due(self, now: str) -> list[Delivery]:
        """What is to be sent now, the oldest first."""
        query = (
            "SELECT id, way, tries, taken, message FROM deliveries JOIN messages USING (id)"
            " WHERE sent IS NULL AND due <= ? ORDER BY id LIMIT 20"
        )
        return [
            Delivery(id=number, way=way, tries=tries, message={"id": number, "taken": taken, **json.loads(message)})
            for number, way, tries, taken, message in self._database.rows(query, (now,))
        ]

    def sent(self, delivery: Delivery, at: str) -> None:
        self._note(delivery, at, at, "")

    def not_sent(self, delivery: Delivery, problem: str, again: str) -> None:
        """To be tried again then."""
        self._note(delivery, None, again, problem)

    def close(self) -> None:
        self._database.close()

    def _note(self, delivery: Delivery, sent: str | None, due: str, problem: str) -> None:
        query = "UPDATE deliveries SET sent = ?, due = ?, problem = ?, tries = tries + 1 WHERE id = ? AND way = ?"
        with self._database.writing() as database:
            database.execute(query, (sent, due, problem, delivery.id, delivery.way))
