"""The journal: every event as a line of JSON, in files that take turns, so that they never grow beyond their share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from appliance.terms.errors import DeviceError

NAME = "journal"
FILES = 5
"""The newest is `journal.jsonl`, the one before `journal.1.jsonl`, …"""
MEND = "Free some space, or make the journal smaller: telemetry.journal_mb."


class Journal:
    """Of one thread. A line that a power cut tore stands alone; all others are whole.

    Raises DeviceError where the disk cannot be written; that line is lost, and the next is tried again.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes // FILES
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, line: str) -> None:
        data = line.encode() + b"\n"
        try:
            file = self._file or self._open()
            if self._size and self._size + len(data) > self._most:
                self._turn_over(file)
                file = self._open()
            file.write(data)
            file.flush()
        except OSError as error:
            self.close()
            raise DeviceError(f"{self._path(0)}: {error.strerror or error}", mend=MEND) from error
        self._size += len(data)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written before
                self._file.close()
        self._file = None

    def _path(self, number: int) -> Path:
        return self._folder / (f"{NAME}.{number}.jsonl" if number else f"{NAME}.jsonl")

    def _open(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(0)
        self._file = file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b")
        self._size = file.seek(0, os.SEEK_END)
        if self._size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the power went
                self._size += file.write(b"\n")
        return file

    def _turn_over(self, file: IO[bytes]) -> None:
        file.close()
        self._file = None
        for number in reversed(range(FILES - 1)):
            with suppress(FileNotFoundError):
                os.replace(self._path(number), self._path(number + 1))
