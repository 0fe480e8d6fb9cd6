"""An SQLite file of ours: opened whole or put aside, written all or nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from appliance.terms.errors import DeviceError


class Database:
    """Of any threads, one at a time. A damaged file is put aside as `….damaged`, and a new one begun.

    With `synchronous="FULL"` what was written is on the disk once `writing` ends, with `"NORMAL"` a power cut may take
    the last second; neither can damage the file. Everything raises DeviceError, with `mend`, where the disk cannot be
    read or written: nothing has changed then.
    """

    def __init__(
        self, path: Path, schema: str, *, synchronous: Literal["FULL", "NORMAL"] = "FULL", mend: str = ""
    ) -> None:
        self._path = path
        self._schema = schema
        self._synchronous = synchronous
        self._mend = mend
        self._lock = threading.RLock()
        self._connection = self._open()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._told(error) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._told(error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                return self._connect()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # it is no database
                os.replace(self._path, self._path.with_suffix(".damaged"))
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            raise DeviceError(f"{self._path}: {error}", mend="Is the disk full, or the folder not writable?") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._path.chmod(0o600)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            connection.close()
            raise sqlite3.DatabaseError("the file is damaged")
        connection.executescript(self._schema)
        return connection

    def _told(self, error: sqlite3.Error) -> DeviceError:
        return DeviceError(f"{self._path}: {error}", mend=self._mend)
