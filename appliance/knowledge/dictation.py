"""Names, numbers, yes and no, out of what a caller says. English. Pure."""

from __future__ import annotations

import re

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
HEARD_FOR = {"o": "0", "to": "2", "too": "2", "for": "4", "ate": "8"}
"""What a recogniser makes of some digits. Between digits, they are."""
NUMBERS = {
    **{word: str(value) for value, word in enumerate((*ONES, *TEENS))},
    **{word: str(10 * (2 + value)) for value, word in enumerate(TENS)},
    **HEARD_FOR,
    "oh": "0",
    "nought": "0",
}
TIMES = {"double": 2, "triple": 3, "treble": 3}
TWO_DIGITS = re.compile(rf"\b({'|'.join(TENS)})[- ]({'|'.join(ONES[1:])})\b", re.IGNORECASE)
LEAST_DIGITS = 5
MOST_DIGITS = 15
"""E.164."""
LEADS_IN = re.compile(
    r"^(?:\W*(?:yes|yeah|yep|no|sure|okay|ok|of course|certainly|well|hi|hello|um|uh|er|sorry|just say|say|from"
    r"|(?:it|this|that|he|she)(?:'s| is| was)|they(?:'re| are)"
    r"|(?:his|her|its|their) name(?:'s| is)|i'm|i am|called|it would be|(?:(?:my|the) )?name(?:'s| is)"
    r"|you're speaking (?:with|to)|(?:please )?tell (?:him|her|them)))*\b\W*",
    re.IGNORECASE,
)
LEADS_OUT = re.compile(
    r"\W*\b(?:speaking|here|please|thanks|thank you|calling|is my name|is the name|by the way|from|of|at|with)\b.*$",
    re.IGNORECASE,
)
NAME = re.compile(r"^[^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*){0,4}$")
ASKS = re.compile(
    r"(?:what|when|where|which|who|why|how|are|is|do|does|can|could|would|will|i|you|we|they|he|she|there|the)\b",
    re.IGNORECASE,
)
SPELLED = re.compile(r"(?<![\w'’])(?:[A-Za-z][\s,.-]+){2,}[A-Za-z]\b")
SPELLING = re.compile(r"\W*\b(?:spelled|spelt|that's|that is|which is)\W*$", re.IGNORECASE)
YES = re.compile(
    r"^\W*(?:(?:oh|um|uh|well|okay|ok|lovely|great|good|super|brilliant|wonderful|ah)\W+)*"
    r"(?:yes|yeah|yep|yup|sure|correct|right|exactly|perfect|absolutely|of course"
    r"|please do|go ahead|okay|ok|fine|(?:that's|that is|all) (?:right|correct|it|fine|good|perfect)|it is"
    r"|(?:that is|that's) (?:quite right|the one)|spot on|m+-?hm+|mhm|uh-?huh|sounds good|i would|you can)\b",
    re.IGNORECASE,
)
NO = re.compile(
    r"^\W*(?:(?:oh|um|uh|well|sorry)\W+)*"
    r"(?:no|nope|nah|not|wrong|incorrect|(?:it's|it is|that's|that is) (?:not|wrong)|(?:it|that) isn't)\b",
    re.IGNORECASE,
)
DROPS = re.compile(
    r"\b(?:never ?mind|forget (?:it|about it|that)|cancel (?:it|that|the message)|leave it|don't bother|scrap that"
    r"|changed my mind|no message|drop (?:it|that)|doesn't matter|not (?:a|any) message)\b|^\W*(?:stop|cancel)\W*$",
    re.IGNORECASE,
)


def digits(words: str) -> str:
    """All digits said: "oh seven double nine", "twenty-three", "07 79"; a leading "+" where one is said."""
    said: list[str] = []
    plus, times = False, 1
    tokens = re.findall(r"\+|\d+|[a-z]+", TWO_DIGITS.sub(_two_digits, words).lower())
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if token in ("+", "plus"):
            plus = plus or not said
        elif token in TIMES:
            times = TIMES[token]
            continue
        elif token == "hundred" and said:
            said.append("00")
        elif token.isdigit() or (token in NUMBERS and (token not in HEARD_FOR or (said and _digit(following)))):
            said.append(NUMBERS.get(token, token) * times)
        times = 1
    return ("+" if plus and said else "") + "".join(said)


def phone_number(words: str) -> str:
    """The telephone number in it; empty where there is none."""
    found = digits(words)
    return found if LEAST_DIGITS <= len(found.lstrip("+")) <= MOST_DIGITS else ""


def number_of(address: str) -> str:
    """The number in a caller's address ("+4930123@pbx.example"); empty where it is a name, or an extension."""
    user = address.partition("@")[0]
    return user if re.fullmatch(rf"\+?\d{{{LEAST_DIGITS},{MOST_DIGITS}}}", user) else ""


def read_out(number: str) -> str:
    """Digit by digit, in groups of three, as one reads a number to somebody who writes it down."""
    plain = number.lstrip("+")
    groups = [" ".join(plain[start : start + 3]) for start in range(0, len(plain), 3)]
    return ("plus " if number.startswith("+") else "") + ", ".join(groups)


def person(words: str) -> str:
    """The name in it, each part capitalised; spelled out letters are put together. Empty where there is none."""
    if words.rstrip().endswith("?"):
        return ""
    said = LEADS_OUT.sub("", LEADS_IN.sub("", words.strip())).strip(" .,!?…")
    if spelled := SPELLED.search(said):
        word = re.sub(r"[^A-Za-z]", "", spelled[0]).capitalize()
        before = SPELLING.sub("", said[: spelled.start()]).strip(" ,.-")
        first = before.split()[:-1] if len(before.split()) > 1 else []
        return " ".join([*(part[:1].upper() + part[1:] for part in first), word])
    pieces = [LEADS_IN.sub("", piece).strip() for piece in re.split(r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)[.,;]\s*", said)]
    names = [piece for piece in pieces if NAME.match(piece) and not ASKS.match(piece)]
    if not names:
        return ""
    name = max(reversed(names), key=lambda name: len(name.split()) > 1)
    return " ".join(part[:1].upper() + part[1:] for part in name.split())


def agrees(words: str) -> bool | None:
    """Yes, no, or neither."""
    if NO.search(words):
        return False
    return True if YES.search(words) else None


def drops(words: str) -> bool:
    """The caller does not want it any more."""
    return bool(DROPS.search(words))


def _two_digits(found: re.Match[str]) -> str:
    return NUMBERS[found[1].lower()][0] + NUMBERS[found[2].lower()]


def _digit(token: str) -> bool:
    return token.isdigit() or token in NUMBERS or token in TIMES
