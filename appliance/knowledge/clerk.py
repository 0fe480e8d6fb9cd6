"""What is answered without the language model: from what the owner wrote, or that this is not known.

    a question about opening hours             computed (`when.py`)
    a passage surely answers it                that passage, as it stands
    a passage may answer it                    "I'm not quite sure, but I do know this: …", and the next best too
    none does                                  "I do not know. Shall I take a message?"
    something is to be done                    it is (`service.py`): a message, a transfer, a visitor, a tool
    it asks for no fact                        nothing: the language model talks

A small model that is given the facts still invents what they do not say (docs/benchmarks.md); an owner's own sentence
is never an invention. So the model is left what it can do: to be polite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from appliance.terms.errors import EngineError
from appliance.terms.meaning import Meaning, Reader

from . import when
from .answer import Answer, Context
from .hours import Hours
from .index import Index
from .intents import Intents, Meant
from .matching import PERHAPS, SURE, Match, content
from .service import Offers, Service

BESIDE = 0.04
"""A second passage that scores so little less than the first is said as well."""
NOTES = 5
"""So many passages are told to a language model that composes its answer."""
MOST_WORDS = 45
"""So much can be listened to at once."""
INQUIRES = re.compile(
    r"\?|^\W*(?:(?:and|so|but|well|hello|hi|hey|um|uh|oh|okay|sorry|excuse me|please|good \w+)"
    r"\W+)*(?:what|when|where|which|who|whose|why|how|is|are|am|do|does|did|can|could|may|might|must|will|would|should"
    r"|have|has)\b|\b(?:wonder(?:ing)?|tell me|looking for|like to|love to|want to|need(?: to)?|i'd like|any chance"
    r"|what about|how about|know (?:if|whether|what|when|where|who|how|about))\b"
    r"|\b(?:is|are|do|does|did|can|could|will|would|may|shall) (?:i|you|we|they|he|she|it|that|there|the|my|your"
    r"|anybody|anyone|somebody|someone)\b|\bhow (?:much|many|long|late|far|often)\b",
    re.IGNORECASE,
)
"""Asks for something to be known or done, whether or not the recogniser has heard the question mark."""
LEADS_IN = re.compile(
    r"^(?:\W*(?:hello|hi|hey|um|uh|er|oh|okay|ok|well|sorry|excuse me|good (?:morning|afternoon|evening|day))\b\W*)+"
    r"(?=\w)",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"(?<=[.?!])\s+")
REFERS = re.compile(
    r"^\W*(?:and|what about|how about|but)\b|\b(?:it|that|this|they|them|there|those|these|one|he|she|him|her|then)\b",
    re.IGNORECASE,
)
"""Means something that was said before."""
SORRY = "I'm sorry, I don't know that."
UNSURE = "I'm not quite sure, but I do know this:"


UNKNOWN = Answer(text=SORRY, doubtful=True)


class Clerk:
    """`find` raises nothing: where nothing can be found out, the language model answers."""

    def __init__(
        self,
        hours: Sequence[Hours],
        now: Callable[[], datetime],
        reader: Reader | None,
        index: Index,
        intents: Intents,
        *,
        offers: Offers,
        composes: Literal["", "whole", "found"] = "",
    ) -> None:
        """`composes`: answers are the language model's own words; it knows the `whole` by heart, or what is `found`."""
        self._hours = hours
        self._now = now
        self._reader = reader
        self._index = index
        self._intents = intents
        self._offers = offers
        self._service = Service(offers, intents, hours, now)
        self._composes = composes

    async def find(self, words: str, context: Context) -> Answer | None:
        """What to say to `words`."""
        form = context.form
        if form is None:
            return await self._find(words, context)
        if not form.takes_anything and INQUIRES.search(words):
            aside = await self._find(words, replace(context, form=None))
            if aside is not None and aside.known:
                return replace(aside, text=f"{aside.text} {self._service.question(form)}", form=form)
        return self._service.go_on(form, words) or await self._find(words, replace(context, form=None))

    async def _find(self, words: str, context: Context) -> Answer | None:
        asked = questions(words, context.asked)
        now = self._now()
        for one in asked:
            if (computed := when.answer(one, self._hours, now)) is not None:
                return Answer(text=computed, computed=True, whole=one is asked[0])
        if (answer := self._service.plainly(words, context)) is not None:
            return answer
        if self._reader is None:
            return None
        parts = self._service.parts(words)
        try:
            meanings = await self._reader.read([*asked, *parts])
        except EngineError:
            return None
        found = [self._index.find(one, meaning) for one, meaning in zip(asked, meanings, strict=False)]
        chance = max((matches[0].chance for matches in found if matches), default=0.0)
        told = [meanings[0], *meanings[len(asked) :]]
        if (answer := self._service.wished(words, told, context, known=chance)) is not None:
            return answer
        wish = self._intents.meant(meanings[0])
        if wish is not None and wish.likeness > (found[0][0].close if found[0] else 0.0):
            return self._talk(wish, words, context)
        if not all(found):  # nothing was written, or no word was said
            return None
        matches = max(found, key=lambda matches: matches[0].chance)
        if self._composes:
            notes = " ".join(match.entry.passage.text for match in matches[:NOTES])
            return Answer(text="", notes=notes) if self._composes == "found" else None
        answer = known(words, meanings[0], matches)
        return self._service.offering(answer, context) if answer is UNKNOWN else answer

    def _talk(self, wish: Meant, words: str, context: Context) -> Answer | None:
        """Who asks for no fact, nor for anything to be done."""
        match wish.intent:
            case "repeat" if context.said:
                return Answer(text=context.said)
            case "message" if self._offers.takes_messages:
                return self._service.message(words, context)
            case "person":
                return self._service.connect(self._offers.operator, context)
        return None


def questions(words: str, before: str) -> list[str]:
    """What may be asked: the words as they are, without what leads in to them, their last question, and, where they go
    on from the question `before`, with that."""
    plain = LEADS_IN.sub("", words) or words
    asking = [sentence for sentence in SENTENCE.split(plain) if INQUIRES.search(sentence) and len(sentence.split()) > 2]
    asking = [sentence for sentence in asking if sentence.endswith("?")] or asking
    goes_on = [f"{before.rstrip(' .?!')} {plain}"] if before and REFERS.search(plain) else []
    return list(dict.fromkeys([plain, *asking[-1:], *goes_on]))


def known(words: str, meaning: Meaning, matches: Sequence[Match]) -> Answer | None:
    """What to say by the best of the matches."""
    best = matches[0]
    if best.chance >= SURE:
        return _quoted([match for match in matches[:2] if match is best or _beside(best, match)])
    if not INQUIRES.search(words) or not content(meaning):
        return None
    if best.chance >= PERHAPS:
        quoted = _quoted([match for match in matches[:2] if match.chance >= best.chance / 2])
        return replace(quoted, text=f"{UNSURE} {quoted.text}", doubtful=True)
    return UNKNOWN


def _quoted(matches: Sequence[Match]) -> Answer:
    """As many of them as can be listened to at once, and the first."""
    found = [match.entry.passage for match in matches]
    if sum(len(passage.text.split()) for passage in found) > MOST_WORDS:
        found = found[:1]
    return Answer(
        text=" ".join(passage.text for passage in found), source=", ".join(passage.place for passage in found)
    )


def _beside(best: Match, other: Match) -> bool:
    return best.score - other.score < BESIDE and other.chance >= SURE
