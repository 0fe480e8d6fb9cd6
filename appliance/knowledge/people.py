"""Who can be reached or visited here, and whom a caller means. English. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .dictation import person as name_in
from .slots import NOT_A_NAME

TITLES = frozenset(("dr", "doctor", "mr", "mrs", "ms", "miss", "prof", "professor", "mister"))
PLAIN = frozenset(("the", "a", "an", "of", "and", "our", "your", "in", "department", "office", "desk", "team"))
UNSURE = re.compile(
    r"\b(?:not (?:\w+ )?sure|no idea|(?:don't|do not|can't|cannot) (?:\w+ )?(?:know|remember|recall|say)|forgot\w*)\b",
    re.IGNORECASE,
)
POLITE = re.compile(
    r"\b(?:please|hello|hi|hey|good (?:morning|afternoon|evening)|um|uh|thanks|thank you"
    r"|can i have|could i have|for me)\b",
    re.IGNORECASE,
)
LIKE = 0.8
"""So alike a word that was heard and one of a name must be: "Becca" is Becker."""
LEAST_LETTERS = 3
MOST_HEARD = 40
ALSO_WORDS = frozenset(("will", "mark", "may", "grant", "bill", "rose", "hope", "faith", "joy", "art", "frank", "page"))
"""Names that are words as well: alone they name nobody."""
THANKS = re.compile(r"\bthank", re.IGNORECASE)
CONNECTS = re.compile(
    r"\b(?:put|patch) (?:me|us) (?:through|on)\b|\b(?:connect|transfer) (?:me|us)\b"
    r"|\bconnect(?:ed)? (?:me |us )?(?:to|with)\b|\b(?:speak|talk|chat)(?:ing)? (?:directly )?(?:to|with)\b"
    r"|\bput (?:him|her|them) on\b|\b(?:get|give) me\b|\ba (?:quick )?word with\b"
    r"|\bget hold of\b|\breturning (?:\w+ )call\b|\bget (?:him|her|them) on the (?:line|phone)\b"
    r"|\b(?:tried|trying) to (?:ring|call|reach) me\b"
    r"|\bpass me (?:on |over )?to\b|\breach\b.*\bby phone\b",
    re.IGNORECASE,
)
"""Wants to be put through to somebody."""
HUMAN = re.compile(
    r"\b(?:human(?: being)?|(?:real|actual|living) person|a person to (?:talk|speak) to)\b", re.IGNORECASE
)
ARRIVES = re.compile(
    r"\b(?:i'm|i am|we're|we are|i've come|i have come|we've come|just) (?:here|come)? ?(?:to|for|from)? ?"
    r"(?:see|meet|visit)\b"
    r"|\b(?:i'm|i am|we're|we are) (?:\w+ )?here (?:to|for|about|as)\b|\bhere to (?:see|meet|visit|pick|interview)\b"
    r"|\bhere for\b|\b(?:i've|i have|we've|we have|got) (?:an? )?(?:\w+ )?(?:appointment|meeting|interview)\b.*"
    r"\b(?:with|at|now|today|for)\b|\b(?:i've|i have|i|we've|we) (?:just )?(?:arrived|turned up|got here)\b"
    r"|\b(?:expecting|waiting for) (?:me|us)\b|\b(?:supposed|meant) to (?:see|meet)\b"
    r"|\b(?:i've|we've|i have|we have) (?:come|brought|got \w+ here)\b|\bhere with\b"
    r"|\b(?:told|asked) (?:me|us) to (?:come|pop|drop|stop|turn up)\b|\bcheck(?:ing)? in\b"
    r"|\bshow (?:me|us) a?round\b",
    re.IGNORECASE,
)
"""Has come to see somebody."""
IS_HERE = re.compile(
    r"\b(?:tell|let|inform)\b.+\b(?:i'm|i am|we're|we are|is|are|have|has) (?:here|downstairs|arrived|waiting"
    r"|in the lobby|at (?:the )?reception|at the (?:front )?desk)\b",
    re.IGNORECASE,
)
MY_APPOINTMENT = re.compile(
    r"\b(?:my|our) (?:appointment|meeting|interview)\b.*\b(?:at|is|isn't|until|today|now|starts?)\b", re.IGNORECASE
)
FOR_SOMEBODY = re.compile(
    r"^\W*(?:(?:[Hh]ello|[Hh]i|[Hh]ey|[Gg]ood \w+|[Uu]m|[Uu]h)\W+)*(?P<name>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,2}),?"
    r" (?:for|to see) [A-Z]"
)
""""Emma Stone for Mr Becker": who says so stands at the desk."""
HOST = re.compile(
    r"\b(?:see|meet|visit|with|for|from|called|named|tell|let|ask)\s+"
    r"(?P<host>(?:(?:Dr|Mr|Mrs|Ms|Miss|Doctor|Professor)\.? )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)"
)
IS_EXPECTING = re.compile(
    r"\b(?P<host>(?:(?:Dr|Mr|Mrs|Ms|Miss|Doctor|Professor)\.? )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?) (?:is|should be|'s) "
    r"(?:expecting|waiting)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the house, or a part of it: `Dr Anna Patel`, `Accounts`."""

    name: str
    phone: str = ""
    """Where callers are put through to; empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """The caller is to be put through, now."""

    person: Person


def meant(words: str, people: Sequence[Person]) -> Person | None:
    """Whose name was said, or something very like it; nobody where it may be two of them."""
    heard = [word for word in re.findall(r"[^\W\d_]+", words.lower()) if word not in PLAIN and word not in TITLES]
    scores: list[tuple[float, Person]] = []
    for person in people:
        parts = _parts(person.name)
        alike = [max((_alike(part, word) for word in heard[:MOST_HEARD]), default=0.0) for part in parts]
        score = sum(one for one in alike if one >= LIKE) + (0.5 if parts and alike[-1] >= LIKE else 0.0)
        if score:
            scores.append((score, person))
    if not scores:
        return None
    best, *others = sorted(scores, key=lambda scored: -scored[0])
    return None if any(score == best[0] for score, _ in others) else best[1]


def only_named(words: str, people: Sequence[Person]) -> Person | None:
    """Who is named by somebody who says nothing else: "Accounts, please." """
    if THANKS.search(words):
        return None
    parts = re.split(r"[,.?!]", words) if re.search(r"\bplease\b", words, re.IGNORECASE) else [words]
    for part in parts:
        rest = POLITE.sub(" ", part)
        left = [word for word in re.findall(r"[^\W\d_]+", rest.lower()) if word not in TITLES and word not in PLAIN]
        if not left or (len(left) == 1 and left[0] in ALSO_WORDS):
            continue
        person = meant(rest, people)
        if person is not None and len(left) <= len(_parts(person.name)):
            return person
    return None


def host(words: str, people: Sequence[Person]) -> str:
    """Whom a visitor has come to see, as far as they said it: a name of the house's, else as it was heard."""
    found = meant(words, people)
    if found is not None:
        return found.name
    named = IS_EXPECTING.search(words) or HOST.search(words)
    return named["host"] if named is not None and not NOT_A_NAME.match(named["host"]) else ""


def host_answered(words: str, people: Sequence[Person]) -> str:
    """The same, of an answer to who it is."""
    return host(words, people) or ("" if UNSURE.search(words) else name_in(words))


def _parts(name: str) -> list[str]:
    return [part for part in re.findall(r"[^\W\d_]+", name.lower()) if part not in TITLES and part not in PLAIN]


def _alike(part: str, word: str) -> float:
    if part == word:
        return 1.0
    if min(len(part), len(word)) < LEAST_LETTERS:
        return 0.0
    return SequenceMatcher(None, part, word).ratio()
