"""What a language model writes, as a voice should say it: no markup, and figures as people read them. Pure."""

from __future__ import annotations

import re

LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
ADDRESS = re.compile(r"\b(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[a-z]{2,})(?:/[\w/.-]*)?(?<![./])", re.IGNORECASE)
MAIL = re.compile(r"\b([\w.+-]+)@((?:[\w-]+\.)+\w+)\b")
ITEM = re.compile(r"^\s*(?:[-*•·–]|\d{1,2}[.)])\s+")
HEADING = re.compile(r"^\s*#+\s*")
MARKUP = re.compile(r"[*_`~|#<>\[\]{}\\]+")
LOOSE = re.compile(r" +(?=[.,!?;:](?:\s|$))")
CURRENCY = {"€": "euros", "$": "dollars", "£": "pounds"}
MONEY = re.compile(r"([€$£])\s?(\d+)(?:[.,](\d{2}))?(?!\d)")
TIME = re.compile(r"\b(\d{1,2}):00(?!\d)\s*([ap]\.?m\.?)?", re.IGNORECASE)
RANGE = re.compile(r"(\d)\s?[–-]\s?(?=\d+\s?(?:[ap]\.?m|euros|dollars|pounds|%))", re.IGNORECASE)
NUMBER = re.compile(r"(?<![\d.,])\+?\d{5,}(?![\d.,]\d)")
WORDS = {"&": "and", "e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "w/": "with"}
WORD = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in WORDS), re.IGNORECASE)


def spoken(clause: str) -> str:
    """The clause, ready for a synthesiser; empty where nothing in it can be said."""
    text = HEADING.sub("", ITEM.sub("", LINK.sub(r"\1", clause)))
    text = MAIL.sub(lambda found: f"{found[1].replace('.', ' dot ')} at {found[2].replace('.', ' dot ')}", text)
    text = ADDRESS.sub(_address, text)
    text = MONEY.sub(_money, text)
    text = TIME.sub(lambda found: f"{found[1]} {found[2] or 'o’clock'}", text)
    text = RANGE.sub(r"\1 to ", text)
    text = NUMBER.sub(lambda found: " ".join(found[0]).replace("+", "plus"), text)
    text = WORD.sub(lambda found: WORDS[found[0].lower()], text)
    text = LOOSE.sub("", " ".join(MARKUP.sub(" ", text).split()))
    return text if any(letter.isalnum() for letter in text) else ""


def _address(found: re.Match[str]) -> str:
    """A web address; what only looks like one ("p.m.", "10.50") stays."""
    name = found[1]
    whole = (
        "//" in found[0] or found[0].lower().startswith("www.") or re.search(r"\.(?:com|org|net|eu|de|uk|info)$", name)
    )
    return name.replace(".", " dot ") if whole else found[0]


def _money(found: re.Match[str]) -> str:
    cents = found[3]
    amount = f"{found[2]} {CURRENCY[found[1]]}"
    return f"{amount} {int(cents)}" if cents and int(cents) else amount
