"""What the owner's sentences mean, kept, so that a start or an edit reads only what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from appliance.terms.meaning import Meaning

from .database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS meanings (text BLOB PRIMARY KEY, words TEXT NOT NULL, vectors BLOB NOT NULL)"
MEND = "What it holds is made again from the owner's files: delete it."
AT_ONCE = 500


class Meanings:
    """By text and `model`, whose name and version tell its meanings from another's. Raises DeviceError."""

    def __init__(self, path: Path, model: str) -> None:
        self._database = Database(path, SCHEMA, synchronous="NORMAL", mend=MEND)
        self._model = model

    def of(self, texts: Iterable[str]) -> dict[str, Meaning]:
        """Those that are kept."""
        by_key = {self._key(text): text for text in texts}
        keys = list(by_key)
        found: dict[str, Meaning] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            query = f"SELECT text, words, vectors FROM meanings WHERE text IN ({', '.join('?' * len(some))})"
            for key, words, packed in self._database.rows(query, some):
                vectors = np.frombuffer(packed, np.float16).astype(np.float32).reshape(1 + len(json.loads(words)), -1)
                found[by_key[key]] = Meaning(whole=vectors[0], words=tuple(json.loads(words)), each=vectors[1:])
        return found

    def keep(self, meanings: Mapping[str, Meaning]) -> None:
        rows = [
            (
                self._key(text),
                json.dumps(meaning.words),
                np.concatenate([meaning.whole[None], meaning.each]).astype(np.float16).tobytes(),
            )
            for text, meaning in meanings.items()
        ]
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO meanings VALUES (?, ?, ?)", rows)

    def forget_others(self, texts: Sequence[str]) -> None:
        """Whatever is of none of those texts."""
        wanted = {self._key(text) for text in texts}
        others = [(key,) for (key,) in self._database.rows("SELECT text FROM meanings") if key not in wanted]
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM meanings WHERE text = ?", others)

    def close(self) -> None:
        self._database.close()

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._model}\n{text}".encode()).digest()
