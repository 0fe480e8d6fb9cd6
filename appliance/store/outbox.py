"""Events that somebody must be told of, until they have been: in SQLite, in order, bounded.

What `put` has returned for is on the disk (`synchronous=FULL`): a kill or a power cut after that loses nothing. A full
outbox gives up the least important first, of these the oldest, and remembers the range of what it gave up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS boots (boot INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS events (
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, rank INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (boot, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_rank ON events (rank, boot, seq);
CREATE TABLE IF NOT EXISTS lost (boot INTEGER PRIMARY KEY, count INTEGER, first INTEGER, last INTEGER);
"""
MOST_ROWS = 50_000
MOST_BYTES = 64_000_000
MEND = "Free some space: events that are not told yet cannot be kept."
SPARE = 0.02
"""A full outbox gives up so much at once, so that it is not busy with every event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An event; `boot` and `seq` are unique together, and order all of a device's."""

    boot: int
    seq: int
    rank: int
    """The higher, the later it is given up."""
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What had to be given up of one boot's events."""

    boot: int
    count: int
    first: int
    last: int


class Outbox:
    """Raises DeviceError where the disk cannot be written: nothing was kept then, and nothing that was kept is gone."""

    def __init__(self, path: Path, *, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._database = Database(path, SCHEMA, mend=MEND)
        ((count, size),) = self._database.rows("SELECT count(*), coalesce(sum(length(payload)), 0) FROM events")
        self._rows, self._bytes = int(count), int(size)

    def begin_boot(self) -> int:
        """The number of this start of the device: one more than the last one's."""
        with self._database.writing() as database:
            (last,) = database.execute("SELECT coalesce(max(boot), 0) FROM boots").fetchone()
            database.execute("DELETE FROM boots")
            database.execute("INSERT INTO boots VALUES (?)", (last + 1,))
        return int(last) + 1

    def put(self, items: Iterable[Item]) -> bool:
        """Keep them, all or none. Did others have to be given up for them?"""
        items = list(items)
        with self._database.writing() as database:
            for item in items:
                row = (item.boot, item.seq, item.rank, item.topic, item.payload)
                database.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)", row)
            rows = self._rows + len(items)
            size = self._bytes + sum(len(item.payload) for item in items)
            if full := rows > self._most_rows or size > self._most_bytes:
                rows, size = self._give_up(database, rows, size)
        self._rows, self._bytes = rows, size
        return full

    def done(self, items: Iterable[Item]) -> None:
        """They have arrived."""
        rows, size = self._rows, self._bytes
        with self._database.writing() as database:
            for item in items:
                found = database.execute("DELETE FROM events WHERE boot = ? AND seq = ?", (item.boot, item.seq))
                if found.rowcount:
                    rows, size = rows - 1, size - len(item.payload)
        self._rows, self._bytes = rows, size

    def waiting(self, most: int, after: tuple[int, int] = (0, 0)) -> list[Item]:
        """The oldest `most` that come after this boot and seq, in order."""
        rows = self._database.rows(
            "SELECT boot, seq, rank, topic, payload FROM events WHERE (boot, seq) > (?, ?) ORDER BY boot, seq LIMIT ?",
            (*after, most),
        )
        return [Item(boot=b, seq=s, rank=r, topic=t, payload=p) for b, s, r, t, p in rows]

    def lost(self) -> list[Lost]:
        """What was given up, by boot; `forgive` once somebody was told."""
        rows = self._database.rows("SELECT boot, count, first, last FROM lost ORDER BY boot")
        return [Lost(boot=b, count=c, first=f, last=e) for b, c, f, e in rows]

    def forgive(self, lost: Iterable[Lost]) -> None:
        with self._database.writing() as database:
            for one in lost:
                row = (one.boot, one.count, one.last)
                database.execute("DELETE FROM lost WHERE boot = ? AND count = ? AND last = ?", row)

    def close(self) -> None:
        self._database.close()

    def __len__(self) -> int:
        return self._rows

    def _give_up(self, database: sqlite3.Connection, rows: int, size: int) -> tuple[int, int]:
        """Make room for some more than is needed; how much is left."""
        spare_rows, spare_bytes = self._most_rows * (1 - SPARE), self._most_bytes * (1 - SPARE)
        victims = database.execute("SELECT boot, seq, length(payload) FROM events ORDER BY rank, boot, seq")
        gone: list[tuple[int, int]] = []
        for boot, seq, length in victims:
            if rows <= spare_rows and size <= spare_bytes:
                break
            gone.append((boot, seq))
            rows, size = rows - 1, size - length
        database.executemany("DELETE FROM events WHERE boot = ? AND seq = ?", gone)
        database.executemany(
            "INSERT INTO lost VALUES (?, 1, ?, ?) ON CONFLICT (boot) DO UPDATE SET count = count + 1,"
            " first = min(first, excluded.first), last = max(last, excluded.last)",
            [(boot, seq, seq) for boot, seq in gone],
        )
        return rows, size
