"""When a synthesiser says which word: phonemes know their samples, words only how many phonemes they have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

NEAR = 3
"""So many phonemes away at the most, a gap between words is the end of the word."""
GAP = " "


def ends(counts: Sequence[int], phonemes: Sequence[str]) -> list[int]:
    """For each word the index of the phoneme that follows it.

    `counts` says how many phonemes each has when it is spoken alone. In a sentence it may have others (espeak joins "of
    the", and says "a" in two ways), so a word's end is looked for near its share of them all.
    """
    total = max(1, sum(counts))
    gaps = [i for i, phoneme in enumerate(phonemes) if phoneme == GAP]
    found: list[int] = []
    for count in accumulate(counts):
        guess = round(count / total * len(phonemes))
        near = min(gaps, key=lambda gap: abs(gap - guess), default=guess)
        last = found[-1] if found else 0
        found.append(max(last, near if abs(near - guess) <= NEAR and guess < len(phonemes) else guess))
    return found
