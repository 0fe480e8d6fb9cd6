"""The normaliser of words, and the word error rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.bench.words import ORDINALS, VALUES, normalise, word_errors

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()  # noqa: SIM905
ONES += ["sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

VOCABULARY = [*VALUES, *ORDINALS, "a", "and", "point", "the", "cat", "it's", "7", "21", "3rd", "um", "don't"]
SPEECH = st.lists(st.sampled_from(VOCABULARY), max_size=12).map(" ".join)


def spelt(number: int, joint: str) -> str:
    """`number` below a thousand million in words, `joint` after each hundred ("and" in Britain)."""
    for scale, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = number % scale
            between = f" {joint} " if scale == 100 else " "
            return f"{spelt(number // scale, joint)} {name}" + (f"{between}{spelt(rest, joint)}" if rest else "")
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("...", ""),
        ("  Press the POUND key!  ", "press the pound key"),
        ("well-known, re-enter; ill disposed", "well known re enter ill disposed"),
        ("[music] (coughs) hello <noise>", "hello"),
        ("um, I, uh, hmm, see", "i see"),
        ("I can't, cannot, won't and don't", "i can not can not will not and do not"),
        ("it's what we're told you'd've", "it is what we are told you would have"),
        ("John's party’s over", "john s party s over"),
        ("'quoted'", "quoted"),
        ("o'clock", "o'clock"),
        ("the colour grey at the centre was cancelled", "the color gray at the center was canceled"),
        ("a surprise exercise advised", "a surprise exercise advised"),
        ("café Wi-Fi, WiFi, wi fi", "cafe wifi wifi wifi"),
        ("8am to 6 p.m. Monday", "8 am to 6 pm monday"),
        ("8:30", "8 30"),
        ("20% or twenty per cent", "20 percent or 20 percent"),
        ("$20, £2.50 and €5 million", "20 dollars 2.50 pounds and 5000000 euros"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert normalise(text) == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("twenty-one", "21"),
        ("two thousand five", "2005"),
        ("two thousand and five", "2005"),
        ("nineteen hundred", "1900"),
        ("a hundred and one", "101"),
        ("a thousand cats and a cat", "1000 cats and a cat"),
        ("5 million", "5000000"),
        ("5,000", "5000"),
        ("zero point five of three point one four", "0.5 of 3.14"),
        ("3.5 is 3 point 5", "3.5 is 3.5"),
        ("one point", "1 point"),
        ("one two three", "1 2 3"),
        ("five five", "5 5"),
        ("twenty twenty", "20 20"),
        ("twenty zero", "20 0"),
        ("one hundred two hundred", "100 200"),
        ("two thousand five thousand", "2000 5000"),
        ("two and three", "2 and 3"),
        ("two hundred and the cat", "200 and the cat"),
        ("seven hundred and", "700 and"),
        ("room twelve on the second floor", "room 12 on the 2nd floor"),
    ],
)
def test_numbers(text: str, words: str) -> None:
    assert normalise(text) == words.split()


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("first", "1st"),
        ("fourth", "4th"),
        ("eleventh", "11th"),
        ("twelfth", "12th"),
        ("twentieth", "20th"),
        ("twenty-first", "21st"),
        ("forty second", "42nd"),
        ("hundred and third", "103rd"),
        ("one hundred and eleventh", "111th"),
        ("two thousandth", "2000th"),
    ],
)
def test_an_ordinal_is_not_its_cardinal(words: str, digits: str) -> None:
    assert normalise(words) == normalise(digits) == [digits]


@given(st.one_of(st.integers(0, 2500), st.integers(0, 999_999_999)), st.sampled_from(["and", ""]))
def test_every_number_in_words(number: int, joint: str) -> None:
    assert normalise(spelt(number, joint)) == [str(number)]
    assert normalise(f"{number:,}") == [str(number)]


@given(SPEECH)
def test_case_and_punctuation_do_not_matter(text: str) -> None:
    assert normalise(text.upper().replace(" ", ", ") + ".") == normalise(text)


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert all(word and word == word.lower() and "#" not in word for word in normalise(text))


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("press two for sales", "Press 2 for sales.", (0, 4)),
        ("press two for sales", "press one for sales", (1, 4)),
        ("press two for sales", "press for sales", (1, 4)),
        ("press two for sales", "please press two for sales", (1, 4)),
        ("press two for sales", "", (4, 4)),
        ("press first", "press one", (1, 2)),
        ("", "you", (1, 0)),
        ("", "", (0, 0)),
        ("a b c d", "b c d e", (2, 4)),
        ("you are next", "yes yes yes yes yes", (5, 3)),
    ],
)
def test_word_errors(said: str, heard: str, errors: tuple[int, int]) -> None:
    assert word_errors(said, heard) == errors


@given(SPEECH, SPEECH, SPEECH)
def test_errors_are_a_distance(a: str, b: str, c: str) -> None:
    def distance(one: str, other: str) -> int:
        return word_errors(one, other)[0]

    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c)
    assert abs(len(normalise(a)) - len(normalise(b))) <= distance(a, b) <= max(len(normalise(a)), len(normalise(b)))
