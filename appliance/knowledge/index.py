"""All passages of a business, found by what they mean and by their words."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from appliance.terms.meaning import Meaning, Reader

from .matching import Entry, Match, content, match
from .passages import Passage

CANDIDATES = 24
"""So many by meaning, and so many by words, are looked at closely."""


def texts(passages: Sequence[Passage]) -> list[str]:
    """What of them is read."""
    return [text for passage in passages for text in (_alone(passage), _placed(passage))]


async def entries(reader: Reader, passages: Sequence[Passage]) -> list[Entry]:
    """Read passages. Raises EngineError."""
    read = await reader.read(texts(passages), ahead=True)
    return [
        Entry(passage=passage, alone=alone.whole, placed=placed)
        for passage, alone, placed in zip(passages, read[::2], read[1::2], strict=True)
    ]


class Index:
    """At 2,000 passages it takes 70 MB, and a search 5 ms."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(entries)
        self._wholes = np.array([[entry.alone, entry.placed.whole] for entry in entries], np.float32)
        self._having: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            for word in set(entry.placed.words):
                self._having[word].append(number)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, question: str, asked: Meaning) -> list[Match]:
        """The likeliest passages first; none where nothing is known."""
        if not self._entries:
            return []
        near = (self._wholes @ asked.whole).max(axis=1)
        numbers = dict.fromkeys([*np.argsort(-near)[:CANDIDATES].tolist(), *self._by_words(asked)])
        return match(question, asked, [self._entries[number] for number in numbers])

    def _by_words(self, asked: Meaning) -> list[int]:
        """Passages that have the question's words, the rarer the better."""
        found: dict[int, float] = defaultdict(float)
        for word in {asked.words[i] for i in content(asked)}:
            having = self._having.get(word, [])
            for number in having:
                found[number] += math.log(1 + len(self._entries) / len(having))
        return sorted(found, key=lambda number: -found[number])[:CANDIDATES]


def _alone(passage: Passage) -> str:
    return passage.asked or passage.text


def _placed(passage: Passage) -> str:
    """With what it stands under."""
    before = passage.asked or (f"{passage.heading}:" if passage.heading else "")
    return f"{before} {passage.text}".strip()
