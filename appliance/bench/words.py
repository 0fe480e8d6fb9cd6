"""How many words a transcript has wrong: a normaliser for English, and the word error rate. Pure.

Two writings of the same speech become the same words: case, punctuation, contractions, British spellings, and numbers,
which become digits ("twenty-one" = "21", "three hundred and five" = "305").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

FILLERS = {"uh", "um", "hmm", "mm", "mhm", "ah", "er"}
CONTRACTIONS = {
    "won't": "will not",
    "can't": "can not",
    "cannot": "can not",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
    "ok": "okay",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "st": "saint",
}
ENDINGS = (("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am"), ("'d", " would"))
BRITISH = (
    (re.compile(r"\b(behavi|col|fav|flav|harb|hon|hum|lab|neighb|rum|sav)our"), r"\1or"),
    (re.compile(r"\b(apolog|author|organ|priorit|real|recogn|special|summar|util)is(?=e|i|a)"), r"\1iz"),
    (re.compile(r"\bcentre"), "center"),
    (re.compile(r"\bcancell(?=ed|ing)"), "cancel"),
    (re.compile(r"\bgrey\b"), "gray"),
)
UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()  # noqa: SIM905
UNITS += ["seventeen", "eighteen", "nineteen"]
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
SMALL = {word: value for value, word in enumerate(UNITS)} | {word: 20 + 10 * i for i, word in enumerate(TENS)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
ORDINALS = {"first": "1", "second": "2", "third": "3", "fifth": "5", "eighth": "8", "ninth": "9", "twelfth": "12"}
WORD = re.compile(r"[\w']+")


def normalise(text: str) -> list[str]:
    """The words of `text` as they are compared."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = re.sub(r"\[[^]]*\]|\([^)]*\)|<[^>]*>", " ", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("%", " percent ").replace("$", " dollars ")
    text = re.sub(r"(\d)(?:st|nd|rd|th)\b", r"\1", text)
    for pattern, american in BRITISH:
        text = pattern.sub(american, text)
    words: list[str] = []
    for word in WORD.findall(text):
        words += _expand(word.strip("'")).split()
    return list(_numbers(word for word in words if word not in FILLERS))


def word_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """(substitutions + insertions + deletions, words of the reference), by Levenshtein's distance of words."""
    said, heard = normalise(reference), normalise(hypothesis)
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1], len(said)


def _expand(word: str) -> str:
    if word in CONTRACTIONS:
        return CONTRACTIONS[word]
    if word in ORDINALS:
        return ORDINALS[word]
    for ending, full in ENDINGS:
        if word.endswith(ending):
            return word.removesuffix(ending) + full
    return word.removesuffix("'s") + " s" if word.endswith("'s") else word.replace("_", " ")


def _numbers(words: Iterable[str]) -> Iterable[str]:
    """Number words as digits: "three hundred and five" → 305; "one two" stay two numbers, "twenty one" is one."""
    total = current = 0
    last = 0  # the value that a smaller unit may follow ("twenty" … "one"); 0 = none may
    inside = False
    for word in words:
        if word in SMALL and (not inside or last > SMALL[word] or last in (100, 1000)):
            current += SMALL[word]
            last = SMALL[word] if SMALL[word] >= 20 else 1
            inside = True
        elif word in SCALES and inside:
            scale = SCALES[word]
            if scale == 100:
                current *= 100
            else:
                total, current = total + current * scale, 0
            last = min(scale, 1000)
        elif word == "and" and inside and last in (100, 1000):
            continue
        else:
            if inside:
                yield str(total + current)
                total = current = 0
            inside = word in SMALL
            if inside:
                current, last = SMALL[word], SMALL[word] if SMALL[word] >= 20 else 1
            else:
                yield word
    if inside:
        yield str(total + current)
