"""The words of a business: a recogniser that has been told them hears "hygienist" for "high-genest". Pure.

It listens twice where it doubts: as ever, and with the words in mind (`terms`). With words in mind it also hears what
is not there, in silence and in noise, so of the second hearing only those words count that the owner has written, and
only in place of something that they have not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from .dictation import ONES, TEENS, TENS

WORD = re.compile(r"[^\W\d_][\w'’-]*")
PARTS = re.compile(r"[\w'’]+")
BEGINS = re.compile(r"(?:^|[.!?:;#|*>\-–—\n])\s*$")
LEAST_LETTERS = 4
MOST_CHARACTERS = 1000
"""Of the terms: a little more than the 200 tokens that the recogniser takes."""
MOST_WORDS = 60
FIRM = re.compile(rf"\d|n['’]t\b|^(?:no|not|never|{'|'.join((*ONES, *TEENS, *TENS))})\b", re.IGNORECASE)
"""Numbers and noes are never put in another's place."""
EDGES = " .,!?;:…\"'“”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    terms: str = ""
    """Those worth telling a recogniser, one after the other: names first, then the longest."""
    words: frozenset[str] = frozenset()
    """All of them, in lower case."""

    def mend(self, heard: str, again: str) -> str:
        """What was `heard`, with the business's words as they were heard `again`, with those words in mind."""
        before, after = heard.split(), again.split()
        if max(len(before), len(after)) > MOST_WORDS:
            return heard
        changes = SequenceMatcher(None, _plain(before), _plain(after), autojunk=False).get_opcodes()
        mended: list[str] = []
        for change, i, j, k, m in changes:
            takes = change == "replace" and self._knows(after[k:m]) and not self._knows(before[i:j])
            takes = takes and not any(FIRM.search(word) for word in (*before[i:j], *after[k:m]))
            mended += after[k:m] if takes else before[i:j]
        return " ".join(mended)

    def _knows(self, words: list[str]) -> bool:
        parts = [part.lower() for word in words for part in PARTS.findall(word)]
        plain = [part.removesuffix("'s").removesuffix("’s").strip("'’") for part in parts]
        return bool(plain) and all(part in self.words or part.removesuffix("s") in self.words for part in plain)


def lexicon(text: str) -> Lexicon:
    """Of what an owner wrote."""
    names: dict[str, str] = {}
    others: dict[str, str] = {}
    for found in WORD.finditer(text):
        word = found[0].strip("'’-")
        if word[0].isupper() and not BEGINS.search(text, max(0, found.start() - 3), found.start()):
            names.setdefault(word.lower(), word)
        elif len(word) >= LEAST_LETTERS:
            others.setdefault(word.lower(), word)
    ordered = [
        *sorted(names.values(), key=len, reverse=True),
        *sorted((word for key, word in others.items() if key not in names), key=len, reverse=True),
    ]
    terms, length = [], 0
    for word in ordered:
        length += len(word) + 2
        if length > MOST_CHARACTERS:
            break
        terms.append(word)
    return Lexicon(terms=", ".join(terms), words=frozenset(part.lower() for part in PARTS.findall(text)))


def _plain(words: list[str]) -> list[str]:
    return [word.strip(EDGES).lower() for word in words]
