"""From tokens to clauses: the first one short, so that speech can start; the later ones whole."""

from __future__ import annotations

import re

FIRST_MIN_WORDS = 1
LATER_MIN_WORDS = 5
LATER_MAX_WORDS = 24

BREAK = re.compile(r"[.!?;:,…](?=\s)|\s[–—-](?=\s)|\n")
SENTENCE = re.compile(r"[.!?…\n]")
ABBREVIATION = re.compile(r"\b(?:a\.m|p\.m|mr|mrs|ms|dr|st|no|e\.g|i\.e|etc)\.$", re.IGNORECASE)
WEAK = frozenset(
    "a an and are at by for from her his in is its my of on or our the their to until with your".split()  # noqa: SIM905
)
"""Words that lean on the next one, as numbers do on their unit: no pause is made after them."""


class Chunker:
    """Pieces of text in, clauses out, each ready to be spoken."""

    def __init__(self, first_words: int = 3) -> None:
        """`first_words`: of the first clause, where no punctuation ends it sooner."""
        self._first_words = first_words
        self._text = ""
        self._first = True

    def feed(self, piece: str) -> list[str]:
        """Clauses that `piece` completed."""
        self._text += piece
        clauses: list[str] = []
        while (end := self._end()) is not None:
            clause, self._text = self._text[:end].strip(), self._text[end:]
            if clause:
                clauses.append(clause)
                self._first = False
        return clauses

    def finish(self) -> list[str]:
        """The rest, at the reply's end."""
        rest, self._text = self._text.strip(), ""
        return [rest] if rest else []

    def drop(self) -> str:
        """Take back what is no clause yet."""
        rest, self._text = self._text, ""
        return rest

    def _end(self) -> int | None:
        """Where the next clause ends, or None while it is not known. What comes all at once is cut like what comes by
        the word: its first clause must not be long, only because the end of it is in sight."""
        broken, overlong = self._broken(), self._overlong()
        if broken is None or overlong is None:
            return overlong if broken is None else broken
        more = any(letter.isalnum() for letter in self._text[overlong:broken])
        return min(overlong, broken) if more else broken

    def _broken(self) -> int | None:
        """After the first punctuation that is worth a pause."""
        least = FIRST_MIN_WORDS if self._first else LATER_MIN_WORDS
        for match in BREAK.finditer(self._text):
            head = self._text[: match.end()]
            if ABBREVIATION.search(head):
                continue
            whole = bool(SENTENCE.search(match.group())) and not self._first
            if whole or len(head.split()) >= least:
                return match.end()
        return None

    def _overlong(self) -> int | None:
        """A clause without punctuation ends after so many words, but not after a weak one."""
        most = self._first_words if self._first else LATER_MAX_WORDS
        words = list(re.finditer(r"\S+(?=\s)", self._text))
        for word in words[most - 1 :]:
            if word.group().lower() not in WEAK and not word.group()[-1].isdigit():
                return word.end()
        return None
