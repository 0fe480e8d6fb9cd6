"""What a device can do in time, by what its last turns took: a slow one does less, and is never silent. Pure.

transcribing a turn takes   the reply is prepared in the caller's pause
──────────────────────────────────────────────────────────────────────
over 450 ms                 no more: what is thrown away would delay what is needed
under 300 ms                again

the language model writes   a reply has at most                    its first clause
──────────────────────────────────────────────────────────────────────────────────────
20 tokens a second or more  as many tokens as the owner allows     3 words
fewer                       four seconds' worth, and at least 24   8: they cover the wait for the next one

While a reply to one caller is being written, none is prepared for another who may not be done: committed work goes
first. One that is being prepared already stops by itself at its first clause.
"""

from __future__ import annotations

import statistics
from collections import deque

LATELY = 4
"""Turns whose median counts: one that was slow by chance changes nothing."""
TOO_SLOW_S = 0.45
FAST_AGAIN_S = 0.3
WRITING_S = 4.0
FAST_TOKENS_S = 20.0
LEAST_TOKENS = 24
FIRST_WORDS = 3
FIRST_WORDS_SLOW = 8


class Pace:
    """One device's. All its calls tell it of their turns and ask it what to do."""

    def __init__(self, *, speculate: bool, max_tokens: int) -> None:
        self._allowed = speculate
        self._most_tokens = max_tokens
        self._slow = False
        self._stt_s: deque[float] = deque(maxlen=LATELY)
        self._tok_s: deque[float] = deque(maxlen=LATELY)
        self._writing = 0

    def writes(self) -> None:
        """A committed reply is being written."""
        self._writing += 1

    def written(self) -> None:
        """… and is written, or was given up."""
        self._writing -= 1

    def turn(self, *, stt_s: float | None, tok_s: float | None) -> None:
        """A turn is over: how long its transcript took, and how many tokens a second were written; None: neither."""
        if stt_s is not None:
            self._stt_s.append(stt_s)
            lately = statistics.median(self._stt_s)
            self._slow = lately > (FAST_AGAIN_S if self._slow else TOO_SLOW_S)
        if tok_s is not None:
            self._tok_s.append(tok_s)

    @property
    def speculates(self) -> bool:
        """Is a reply prepared before the turn is known to be over?"""
        return self._allowed and not self._slow and not self._writing

    @property
    def listens_ahead(self) -> bool:
        """Is a turn transcribed while it is spoken?"""
        return not self._slow and not self._writing

    @property
    def max_tokens(self) -> int:
        """The longest reply that can be written in time."""
        if self._median_tok_s >= FAST_TOKENS_S:
            return self._most_tokens
        return min(self._most_tokens, max(LEAST_TOKENS, int(self._median_tok_s * WRITING_S)))

    @property
    def first_words(self) -> int:
        """How long a reply's first clause may be."""
        return FIRST_WORDS if self._median_tok_s >= FAST_TOKENS_S else FIRST_WORDS_SLOW

    @property
    def _median_tok_s(self) -> float:
        return statistics.median(self._tok_s) if self._tok_s else FAST_TOKENS_S
