"""What is answered without the language model: from what the owner wrote, or that this is not known.

    a question about opening hours             computed (`when.py`)
    a passage surely answers it                that passage, as it stands
    a passage may answer it                    "I am not sure … what I do know is this: …"
    none does                                  "I do not know"
    it asks for no fact                        nothing: the language model talks

A small model that is given the facts still invents what they do not say (docs/benchmarks.md); an owner's own sentence
is never an invention. So the model is left what it can do: to be polite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance.terms.errors import EngineError
from appliance.terms.meaning import Meaning, Reader

from . import when
from .hours import Hours
from .index import Index
from .intents import Intents, Meant
from .matching import Match, content

SURE = 0.6
PERHAPS = 0.2
"""Chances that a passage answers: from the first on it is said as the answer, from the second on with a doubt."""
BESIDE = 0.04
"""A second passage that scores so little less than the first is said as well."""
MOST_WORDS = 45
"""So much can be listened to at once."""
INQUIRES = re.compile(
    r"\?|^\W*(?:(?:and|so|but|well|hello|hi|hey|um|uh|oh|okay|sorry|excuse me|please|good \w+)"
    r"\W+)*(?:what|when|where|which|who|whose|why|how|is|are|am|do|does|did|can|could|may|might|must|will|would|should"
    r"|have|has)\b|\b(?:wonder(?:ing)?|tell me|looking for|like to|love to|want to|need(?: to)?|i'd like|any chance"
    r"|what about|how about|know (?:if|whether|what|when|where|who|how|about))\b",
    re.IGNORECASE,
)
"""Asks for something to be known or done."""
REFERS = re.compile(
    r"^\W*(?:and|what about|how about|but)\b|\b(?:it|that|this|they|them|there|those|these|one|he|she|him|her|then)\b",
    re.IGNORECASE,
)
"""Means something that was said before."""
SORRY = "I'm sorry, I don't know that."
UNSURE = "I'm not sure about that. What I do know is this:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    text: str
    source: str = ""
    """Where the owner wrote it: `prices.md:12`."""
    computed: bool = False


class Clerk:
    """`find` raises nothing: where nothing can be found out, the language model answers."""

    def __init__(
        self, hours: Sequence[Hours], now: Callable[[], datetime], reader: Reader | None, index: Index, intents: Intents
    ) -> None:
        self._hours = hours
        self._now = now
        self._reader = reader
        self._index = index
        self._intents = intents

    async def find(self, words: str, earlier: str = "") -> Answer | None:
        """What to say to `words`; `earlier`: what the caller asked before."""
        if (computed := when.answer(words, self._hours, self._now())) is not None:
            return Answer(text=computed, computed=True)
        if self._reader is None or not len(self._index):
            return None
        alone = f"{earlier} {words}" if earlier and REFERS.search(words) else ""
        try:
            meanings = await self._reader.read([words, alone] if alone else [words])
        except EngineError:
            return None
        matches = self._index.find(words, meanings[0])
        if alone:
            matches = max(matches, self._index.find(alone, meanings[1]), key=lambda found: found[0].chance)
        return decide(words, meanings[0], matches, self._intents.meant(meanings[0]))


def decide(words: str, meaning: Meaning, matches: Sequence[Match], meant: Meant | None) -> Answer | None:
    """What to say, by the best of the matches."""
    best = matches[0]
    likely = best.chance
    if meant is not None and meant.likeness > best.close:
        return None
    if likely >= SURE:
        said = [match for match in matches[:2] if match is best or _beside(best, match)]
        return Answer(
            text=" ".join(match.entry.passage.text for match in said),
            source=", ".join(match.entry.passage.place for match in said),
        )
    if not INQUIRES.search(words) or not content(meaning):
        return None
    if likely >= PERHAPS:
        return Answer(text=f"{UNSURE} {best.entry.passage.text}", source=best.entry.passage.place)
    return Answer(text=SORRY)


def _beside(best: Match, other: Match) -> bool:
    words = len(f"{best.entry.passage.text} {other.entry.passage.text}".split())
    return best.score - other.score < BESIDE and other.chance >= SURE and words <= MOST_WORDS
