"""A reader for tests: to it, a text means its words, and a word nothing but itself."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from appliance.terms.errors import EngineDown
from appliance.terms.meaning import Meaning, Vectors


class WordReader:
    def __init__(self) -> None:
        self.down = False

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        if self.down:
            raise EngineDown("the worker is dead")
        return [meaning(text) for text in texts]


def meaning(text: str) -> Meaning:
    words = re.findall(r"\w+", text.lower())
    each = np.array([_vector(word) for word in words], np.float32).reshape(-1, 384)
    whole = each.sum(axis=0) if words else np.zeros(384, np.float32)
    return Meaning(whole=whole / max(float(np.linalg.norm(whole)), 1e-9), words=tuple(words), each=each)


def _vector(word: str) -> Vectors:
    vector = np.random.default_rng(zlib.crc32(word.encode())).normal(size=384).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))
