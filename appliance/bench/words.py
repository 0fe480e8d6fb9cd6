"""How many words a transcript has wrong: a normaliser for English, and the word error rate. Pure.

Two writings of the same speech become the same words: case, punctuation, contractions, British spellings, fillers, and
numbers, which become digits ("twenty-one" → "21", "three hundred and five" → "305", "twenty first" → "21st", "three
point five" → "3.5"). An ordinal and its cardinal stay two words, and digits said one by one stay apart: "one two" is
not "12", nor "nineteen ninety" "1990".
"""

from __future__ import annotations

import re
import unicodedata

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
IS_BEFORE_S = {"he", "here", "how", "it", "she", "that", "there", "what", "when", "where", "who"}
"""After these, 's is "is"; after other words it is taken for the genitive."""
SPELLINGS = (
    (re.compile(r"\b(behavi|col|fav|flav|harb|hon|hum|lab|neighb|rum|sav)our"), r"\1or"),
    (re.compile(r"\b(apolog|author|organ|priorit|real|recogn|special|summar|util)is(?=e|i|a)"), r"\1iz"),
    (re.compile(r"\bcentre"), "center"),
    (re.compile(r"\bcancell(?=ed|ing)"), "cancel"),
    (re.compile(r"\bgrey\b"), "gray"),
    (re.compile(r"\bper cent\b"), "percent"),
    (re.compile(r"\bwi[- ]fi\b"), "wifi"),
    (re.compile(r"\b([ap])\.\s?m\b"), r"\1m"),
    (re.compile(r"(?<=\d)(am|pm)\b"), r" \1"),
)
MONEY = {"$": "dollars", "€": "euros", "£": "pounds"}
SUM = re.compile(r"([$€£])\s?([\d.]*\d(?: (?:hundred|thousand|million)\b)?)")
WORD = re.compile(r"\d+\.\d+|[\w']+")

UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    *(f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")),
]
TENS = [f"{stem}ty" for stem in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
VALUES = (
    {name: value for value, name in enumerate(["zero", *UNITS, *TEENS])}
    | {name: 10 * value for value, name in enumerate(TENS, 2)}
    | SCALES
)
ORDINALS = {f"{name.removesuffix('y')}{'ie' * name.endswith('y')}th": name for name in VALUES} | {
    "first": "one",
    "second": "two",
    "third": "three",
    "fifth": "five",
    "eighth": "eight",
    "ninth": "nine",
    "twelfth": "twelve",
}
TH = "#th"
"""Stands after a number that is an ordinal, while numbers are read; no word has a # in it."""


def _number() -> re.Pattern[str]:
    """One number in words, between spaces: a number may begin with digits ("5 million")."""
    units, teens, tens = ("|".join(names) for names in (UNITS, TEENS, TENS))
    small = rf"(?:(?:{tens})(?: (?:{units}))?|{teens}|{units}|zero)\b"
    hundred = rf"hundred\b(?: (?:and )?{small}(?! hundred\b))?"
    below_1000 = rf"(?:{small} {hundred}|{small})"
    first = rf"(?:(?:{small}|\d+|a) {hundred}|{hundred}|{small}|\d+\b)"
    rest = rf"(?: (?:and )?{below_1000}(?! (?:thousand|million)\b))?"
    thousand = rf"(?:(?:{first}|a) )?thousand\b{rest}"
    million = rf"(?:(?:{first}|a) )?million\b(?: (?:and )?{below_1000} thousand\b)?{rest}"
    digits = rf"(?: point(?: (?:{units}|zero|\d)\b)+)"
    return re.compile(rf"(?<!\S)(?:{million}|{thousand}|{first})(?: {TH}|{digits})?(?!\S)")


NUMBER = _number()


def normalise(text: str) -> list[str]:
    """The words of `text` as they are compared."""
    text = unicodedata.normalize("NFKD", text).lower().replace("’", "'")
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"\[[^]]*\]|\([^)]*\)|<[^>]*>", " ", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("%", " percent ").replace("_", " ")
    text = SUM.sub(lambda found: f"{found[2]} {MONEY[found[1]]} ", text)
    for pattern, replacement in SPELLINGS:
        text = pattern.sub(replacement, text)
    words: list[str] = []
    for word in WORD.findall(text):
        words += _expand(word.strip("'")).split()
    return NUMBER.sub(_digits, " ".join(word for word in words if word not in FILLERS)).split()


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
    """A contraction in full, an ordinal as its number and TH; other words as they are."""
    if word in CONTRACTIONS:
        return CONTRACTIONS[word]
    if word in ORDINALS:
        return f"{ORDINALS[word]} {TH}"
    for ending, full in ENDINGS:
        if word.endswith(ending):
            return _expand(word.removesuffix(ending)) + full
    if word.endswith("'s"):
        stem = word.removesuffix("'s")
        return f"{stem} {'is' if stem in IS_BEFORE_S else 's'}"
    return word


def _digits(number: re.Match[str]) -> str:
    """A match of NUMBER in digits."""
    whole, _, decimals = number[0].removesuffix(TH).partition(" point ")
    value = current = 0
    for word in whole.split():
        if word == "hundred":
            current = (current or 1) * 100
        elif word in SCALES:
            value, current = value + (current or 1) * SCALES[word], 0
        elif word not in ("a", "and"):
            current += VALUES[word] if word in VALUES else int(word)
    value += current
    if number[0].endswith(TH):
        return f"{value}{_ending(value)}"
    if decimals:
        return f"{value}.{''.join(str(VALUES.get(digit, digit)) for digit in decimals.split())}"
    return str(value)


def _ending(value: int) -> str:
    """The letters of an ordinal: 1st, 11th, 22nd."""
    return "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
