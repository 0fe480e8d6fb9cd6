"""What a caller's words say about their turn, whatever they are about. Pure.

English; of another language the language model's own judgement (`ends`) and the voice decide alone.
"""

from __future__ import annotations

import re
from enum import Enum, auto

ENDS_LIKELY = 0.12
ENDS_PERHAPS = 0.03
"""The language model's probability that an utterance ends here. Of 41 broken off in the middle of a sentence none had
the first, and two the second; of 69 whole ones 59 had the first and 67 the second (docs/benchmarks.md)."""

ASKS = re.compile(
    r"\?\W*$|\b(?:could|can|would|will) you\b|\b(?:tell|show|give|help) me\b"
    r"|\b(?:like|need|want|wanted) to (?:know|ask)\b|\bplease\b"
    r"|^\W*(?:what|when|where|which|who|why|how|is|are|do|does|can|could|may)\b",
    re.IGNORECASE,
)
"""Who has asked waits for an answer; who has told something may go on to ask."""
UNFINISHED = re.compile(
    r"\b(?:a|an|and|about|at|because|but|for|from|i|if|in|is|it's|i'm|like|my|of|on|or|our|please tell|so|than|that|the"
    r"|their|to|um|uh|was|were|when|where|which|who|with|would|your|could you|can you|know|tell me|wondering|wanted)"
    r"[?,.…\-\s]*$",
    re.IGNORECASE,
)
SHORT = re.compile(
    r"^\W*(?:yes|no|stop|wait|thanks|thank you|hello|hi|okay|ok|please|sorry|what|why|how|pardon|never ?mind|goodbye"
    r"|bye)"
    r"(?:[ ,]+(?:please|thanks|thank you|sorry|it|that|so much))*\W*$",
    re.IGNORECASE,
)
"""Whole utterances that the language model thinks unlikely to end there."""
FIGURE = r"(?:\d[\d\-]*|zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|[a-z])"
DICTATED = re.compile(
    rf"(?:\b{FIGURE}\W+{FIGURE}\W*|\b(?:number|code|name|address|e-?mail) is(?: \w+)?\W*"
    r"|\b(?:spelt|spelled|spelling)\b.*)$",
    re.IGNORECASE,
)
MURMUR = re.compile(
    r"^(?:\W*(?:m+|mm+-?hm+|h+m+|hu+h|uh|um|uh-?huh|m-?hm+|mhm|ah|aha|oh|okay|ok|'?kay|right|alright|all right|yeah|yep"
    r"|yes|sure|good|great|fine|cool|nice|perfect|wow|really|i see|got it|of course|exactly|true|please"
    r"|thanks|thank you|thank you (?:so|very) much|cheers|you))+\W*$",
    re.IGNORECASE,
)
""""you" is what Whisper makes of a noise. Who adds "please" or "thanks" over an answer wants to hear the rest of it."""
WAIT = re.compile(
    r"^(?:\W*(?:okay|ok|oh|um|uh|sorry|please|can you|could you|just|hold on|hang on|wait|one|a|moment|second|minute"
    r"|sec|give me|for|let me (?:check|think|see|look)|bear with me|a bit))+\W*$",
    re.IGNORECASE,
)
WAITS = re.compile(r"\b(?:hold on|hang on|wait|moment|second|minute|sec|let me|bear with)\b", re.IGNORECASE)

PARTING = frozenset(
    """a all alright and bye byebye day evening everything fine for good goodbye great have help is it later lot lovely
    much nice night no of oh ok okay one perfect right rest see so soon thank thanks that that's the then tomorrow too
    very was week weekend well yes you your""".split()  # noqa: SIM905
)
"""Of these alone a goodbye is made."""
GOODBYE = re.compile(r"\b(?:good ?bye|bye|bye ?bye|good night|see you)\b", re.IGNORECASE)


class Words(Enum):
    """Is what was said a whole utterance?"""

    ASKED = auto()
    """A whole question or request, or a word that stands for one."""
    LIKELY = auto()
    """A question, as far as its words alone can tell."""
    PERHAPS = auto()
    """A question that may not be whole."""
    TOLD = auto()
    """A whole statement."""
    UNFINISHED = auto()
    DICTATED = auto()
    """Digits, letters or a name: said in groups, with pauses between them."""


WORTH_PREPARING = frozenset((Words.ASKED, Words.LIKELY, Words.PERHAPS, Words.TOLD))


def judged(text: str, ends: float | None = None) -> Words:
    """The verdict on `text`; `ends`: the language model's probability that it is whole; None: not known, or not yet."""
    text = text.strip()
    asks = bool(ASKS.search(text))
    if DICTATED.search(text) and not text.endswith("?"):
        return Words.DICTATED
    if SHORT.match(text):
        return Words.ASKED
    if ends is None:
        likely = Words.LIKELY if asks and text.endswith("?") else Words.PERHAPS
        return likely if finished(text) else Words.UNFINISHED
    if not text or ends < ENDS_PERHAPS:
        return Words.UNFINISHED
    if asks:
        return Words.ASKED if ends >= ENDS_LIKELY else Words.PERHAPS
    return Words.TOLD if ends >= ENDS_LIKELY else Words.UNFINISHED


def finished(text: str) -> bool:
    """Could these words end an utterance? A trailing "and" or "my name is", a comma or an ellipsis does not.

    A poor judge ("Which floor was that?"), for when there is no better one.
    """
    text = text.strip()
    return bool(text) and not text.endswith(("...", "…", ",", "-", "—", ":")) and not UNFINISHED.search(text)


def murmured(text: str) -> bool:
    """Does this only say that its speaker listens? Said over a reply, it asks for nothing."""
    return not text.strip(" .,!?…-") or bool(MURMUR.match(text))


def asks_to_wait(text: str) -> bool:
    """Is the agent asked for nothing but patience?"""
    return bool(WAIT.match(text) and WAITS.search(text))


def says_goodbye(text: str) -> bool:
    """Does the caller say goodbye, and nothing else?"""
    return bool(GOODBYE.search(text)) and set(re.findall(r"[\w']+", text.lower())) <= PARTING


def settled(before: str, now: str) -> str:
    """What two transcripts of a growing speech agree on: the words that will hardly change any more.

    Local agreement (Liu et al. 2020), less the last word, which may be cut short.
    """
    said, again = before.split(), now.split()
    count = 0
    for a, b in zip(said, again[:-1], strict=False):
        if _bare(a) != _bare(b):
            break
        count += 1
    return " ".join(again[:count])


def same(one: str, other: str) -> bool:
    """The same words, but for punctuation and case?"""
    return [_bare(word) for word in one.split()] == [_bare(word) for word in other.split()]


def _bare(word: str) -> str:
    return word.strip(".,!?…-\"'").lower()
