"""Does a passage answer a question? Judged by what both mean, as a whole and word by word. English. Pure.

A word that counts is looked for among the passage's (the best of its similarities, as in ColBERT: Khattab and Zaharia
2020): "puppy" is found in "dogs", "sauna" nowhere in a text about parking. The evidence is weighed by a logistic
regression that `benchmarks/fit_matching.py` has fitted, on businesses made up for that alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from appliance.terms.meaning import Meaning, Vectors

from .passages import Passage

FILLING = frozenset(
    """a about am an and any anything are as at be been being but by can could d did do does doing don for from get go
    got had has have he hello her here hey hi him his how i if in into is it its just kind know let like ll look looking
    m many may me might much must my need no not of on one or our out people please question quick quite re really s
    said say shall she should so some something sorry sort such t take tell than thank thanks that the their them then
    there these they thing this those to too up us use ve very want wanted was we were what when where which who whom
    whose why will with wonder wondering would you your yours""".split()  # noqa: SIM905
)
"""Words that say nothing of what is asked for."""
KINDS: dict[str, tuple[str, str]] = {
    "price": (
        r"\bhow much\b(?! (?:time|longer))|\b(?:costs?|prices?|fees?|rates?|expensive|cheap|set me back|charge for)\b"
        r"|\b(?:do|does|would|will) (?:i|we|you|it) (?:have to )?(?:pay|charge)\b",
        r"\d|free|included|no charge|euro|dollar|pound|franc|cent|pence|hundred|twenty|thirty|forty|fifty",
    ),
    "person": (
        r"^\W*who\b|\bwhat(?:'s| is) .*\b(?:name|called)\b|\bname of\b",
        r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+",
    ),
    "phone": (
        r"\b(?:phone|telephone|mobile) number\b|\bnumber (?:to|can|should)\b|\bring\b|\bcall\b",
        r"\d[\d ]{4,}",
    ),
    "place": (
        r"^\W*where\b|\b(?:address|directions)\b",
        r"\b(?:at|in|on|beside|behind|opposite|next|floor|street|road|lane|square|room|left|right|to|by|near)\b",
    ),
    "length": (
        r"\bhow long\b|\bhow (?:much|many) (?:time|minutes|hours|days|weeks)\b",
        r"minute|hour|day|week|month|year|until",
    ),
    "number": (
        r"\bhow many\b",
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|forty|no|only)\b",
    ),
    "time": (
        r"\b(?:when|what time|which day|what day|until when|how late|how early)\b",
        r"\d|day|noon|midnight|morning|evening|afternoon|week|month|night|always|minute|hour",
    ),
}
"""What is asked for, and what an answer to that must have."""
ASKED_FOR = [
    (re.compile(asks, re.IGNORECASE), re.compile(has, 0 if kind == "person" else re.IGNORECASE))
    for kind, (asks, has) in KINDS.items()
]
WEIGHTS = (2.997, 2.739, -0.592, 3.267, -1.933, -0.718, -0.631)
BIAS = -2.303
SURE = 0.6
PERHAPS = 0.15
"""Chances that a passage answers: from the first on it is said as the answer, from the second on with a doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A passage with what it means."""

    passage: Passage
    alone: Vectors
    """(384,) float32: by itself, or the question it was written for."""
    placed: Meaning
    """With that question, or its heading, before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    entry: Entry
    score: float
    """By which matches with one question are in order."""
    close: float
    """How much the whole of it means the same."""
    evidence: tuple[float, ...]

    @property
    def chance(self) -> float:
        """How likely, 0 to 1, the passage answers the question."""
        return 1.0 / (1.0 + math.exp(-BIAS - sum(w * e for w, e in zip(WEIGHTS, self.evidence, strict=True))))


def content(meaning: Meaning) -> list[int]:
    """Which of a question's words say what it is about; all, where none does."""
    found = [i for i, word in enumerate(meaning.words) if word not in FILLING and any(c.isalnum() for c in word)]
    return found or list(range(len(meaning.words)))


def match(question: str, asked: Meaning, entries: Sequence[Entry]) -> list[Match]:
    """Entries in the order in which they may answer the question."""
    words = asked.each[content(asked)]
    if not len(words):
        return []
    best = [(words @ entry.placed.each.T).max(axis=1) for entry in entries]
    anywhere = np.max(best, axis=0)
    found = [_match(question, asked, entry, here, anywhere) for entry, here in zip(entries, best, strict=True)]
    return sorted(found, key=lambda match: -match.score)


def _match(question: str, asked: Meaning, entry: Entry, here: Vectors, anywhere: Vectors) -> Match:
    """`here`, `anywhere`: for each word that counts, the closest one of this passage, and of all."""
    alone, placed = float(asked.whole @ entry.alone), float(asked.whole @ entry.placed.whole)
    close, mean = max(alone, placed), float(here.mean())
    evidence = (
        close,
        alone,
        mean,
        float(here.min()),
        float(anywhere.mean()),
        float(anywhere.min()),
        lacks(question, entry.passage),
    )
    return Match(entry=entry, score=close + mean, close=close, evidence=evidence)


def lacks(question: str, passage: Passage) -> float:
    """1 where the passage lacks what an answer of the kind asked for must have, else 0."""
    return float(any(asks.search(question) and not has.search(passage.text) for asks, has in ASKED_FOR))
