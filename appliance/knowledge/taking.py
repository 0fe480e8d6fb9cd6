"""Taking a message: one thing after the other is asked for, read back, and put right. English. Pure.

wanted    the caller says                then wanted
──────────────────────────────────────────────────────────────────────────────────────
offer     yes                            text
text      what to pass on                name
name      who they are                   number
number    digits, in one piece or more   check; the rest of it, as long as they are few
check     yes                            nothing: the message is taken
          no, and what is right          check
          no                             which
which     the name, the number, …        that
any       "never mind"                   nothing: it is dropped
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from .dictation import LEAST_DIGITS, agrees, digits, drops, person, phone_number, read_out

Wanted = Literal["offer", "text", "name", "number", "check", "which"]
MOST_WORDS = 150
PRONOUN = "him|her|them|me|us|you|someone|somebody|anybody|anyone|it"
MOST_ASKED = 3
"""So often the same thing is asked for; then it is done without."""
TITLED = r"(?:Dr|Doctor|Mr|Mrs|Ms|Miss|Prof|Professor)\.? [A-Z][\w'’]+"
NAMED = r"[A-Z][\w'’]+(?: [A-Z][\w'’]+)?"
OF_THE_HOUSE = r"(?i:the|your|my) (?:(?i:head|chief|office|duty|senior|night) )?\w+"
PART = r"(?i:reception|housekeeping|accounts|maintenance|sales)"
WHO = rf"(?P<to>{OF_THE_HOUSE}|{TITLED}|{NAMED}|{PART})"
"""Who may be meant: "the head nurse", "Dr Patel", "Anna", "housekeeping"."""
TELLS = re.compile(
    rf"\b(?i:tell|inform|let|remind)\s+(?:(?i:{PRONOUN})|{WHO})\s+(?:know\s+)?(?:that\s+)?(?P<text>\w.+)$"
)
CALLS = r"(?i:call|ring|phone|get)"
ASKS_BACK = re.compile(
    rf"\b{CALLS} (?:(?i:me|us) )?(?i:back)\b|\b(?i:called back|return (?:my|the) call)\b"
    rf"|\b(?i:have|ask|get|like|want) (?:(?i:{PRONOUN})|{WHO}) (?i:to )?{CALLS} (?i:me|us)\b"
    r"|\b(?i:(?:can|could|would|will) (?:you|some\w+|any\w+)\b.*\bgive (?:me|us) a (?:call|ring))\b"
)
LEAVES = re.compile(
    rf"\b(?i:leave|take|give|pass)(?: (?:(?i:him|her|them|you)|(?i:the) \w+|{TITLED}|[A-Z]\w+))?"
    r" (?i:a message|a note|word|my number)\b"
    r"|^\W*(?i:(?:(?:hi|hello|hey|there|good \w+)\W+)*(?:a )?message (?:for|to))\b"
    r"|\b(?i:pass(?:ing)? (?:(?:something|a message|it|this|that) )?on|write (?:it|this|that) down for)\b"
)
FOR_WHOM = [
    re.compile(form)
    for form in (
        rf"\b(?i:message|note|word) (?i:for|to) {WHO}",
        rf"\bon (?i:to) {WHO}",
        rf"\b(?i:have|ask|get|like|want|give|let|tell) {WHO} (?i:to|phone|call|ring|a message|know)\b",
        rf"\b(?i:speak|talk) (?i:to|with) {WHO}",
        rf"\b(?i:is|if) {WHO}(?:'s| is)? (?i:in|there|not|busy|around|available)\b",
        rf"\b(?i:someone|somebody|anyone|anybody) (?i:in|from|at) {WHO}",
        rf"\b(?i:answering|picks up) (?i:at|in) {WHO}",
        rf"\b(?i:so that) {WHO} (?i:can)\b",
        rf"\b(?P<to>{TITLED})",
    )
]
"""The likeliest first."""
ABOUT = re.compile(r"\babout (?!it\b|this\b|that\b)(\w.+)$", re.IGNORECASE)
SAYING = re.compile(r"\bmessage\b[^.:]*?(?:\b(?:saying|that says|to say)(?: that)?|:)\s+(?P<text>\w.+)$", re.IGNORECASE)
TEXT_LEADS_IN = re.compile(
    r"^(?:\W*(?:yes|yeah|okay|ok|sure|um|uh|well|so|please|just|the message is|it's|it is"
    r"|tell (?:him|her|them)(?: that)?|say(?: that)?|that))*\b\W*",
    re.IGNORECASE,
)
OF_NAME = re.compile(r"\bname\b", re.IGNORECASE)
OF_NUMBER = re.compile(r"\b(?:number|phone|digits?)\b", re.IGNORECASE)
OF_TEXT = re.compile(r"\b(?:message|text|rest|what i said)\b", re.IGNORECASE)
WHICH = "I am sorry. What is wrong: the name, the number or the message?"
SAME_NUMBER = "Can we reach you on the number you are calling from?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    text: str = ""
    name: str = ""
    number: str = ""
    """Digits, with a leading `+` where it was said."""
    to: str = ""
    """For whom it is, as far as that was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A message that is being taken."""

    wanted: Wanted
    message: Message = Message()
    caller: str = ""
    """The number they call from, if that is known and they have not said no to it."""
    asked: int = 1
    """How often what is wanted was asked for."""
    back: bool = False
    """They want to be called back."""
    mending: bool = False
    """Only this one thing is wanted again."""

    @property
    def takes_anything(self) -> bool:
        """Whatever is said is what is wanted."""
        return self.wanted in ("offer", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    say: str
    form: Taking | None = None
    """What is still to be taken; None: nothing."""
    taken: Message | None = None
    """It is whole: pass it on."""


def begin(words: str, caller: str = "", to: str = "", name: str = "") -> Step:
    """Somebody, whose `name` may be known, wants to leave a message, `to` somebody, and may have said it already."""
    text = ""
    told = TELLS.search(words)
    if told is not None and told["text"].lower().split()[0] not in ("to", "if", "whether"):
        text = told["text"]
    elif found := SAYING.search(words):
        text = found["text"]
    meant = told["to"] if told is not None else None
    to = meant or next((found["to"] for form in FOR_WHOM if (found := form.search(words))), to)
    to = re.sub(r"^(?:your|my) ", "the ", to.removesuffix("'s"))
    back = not text and ASKS_BACK.search(words) is not None
    if back and (about := ABOUT.search(words)):
        text = f"Please call back about {about[1]}"
    return _next(
        Taking(wanted="text", message=Message(text=_sentence(text), to=to, name=name), caller=caller, back=back),
        "Of course.",
    )


def asked_for(words: str) -> bool:
    """Do they say plainly that something is to be passed on?"""
    told = TELLS.search(words)
    to_others = told is not None and re.match(r"\w+ (?:me|us|you|it)\b", told[0], re.IGNORECASE) is None
    return to_others or any(form.search(words) for form in (ASKS_BACK, SAYING, LEAVES))


def offered(caller: str = "", to: str = "", name: str = "") -> Taking:
    """It was offered to take one."""
    return Taking(wanted="offer", caller=caller, message=Message(to=to, name=name))


def go_on(form: Taking, words: str) -> Step | None:
    """What the caller says next. None: they pass over the offer to take a message."""
    if drops(words):
        return Step(say="All right, no message then. Is there anything else?")
    match form.wanted:
        case "offer":
            return _offered(form, words)
        case "text":
            text = " ".join(TEXT_LEADS_IN.sub("", words).split()[:MOST_WORDS])
            text = f"Please call back. {_sentence(text)}" if form.back and text else _sentence(text)
            return _next(replace(form, message=replace(form.message, text=text))) if text else _again(form)
        case "name":
            name = person(words)
            return _next(replace(form, message=replace(form.message, name=name))) if name else _again(form)
        case "number":
            return _number(form, words)
        case "check":
            return _checked(form, words)
        case "which":
            return _mend(form, words) or _again(form)


def _offered(form: Taking, words: str) -> Step | None:
    match agrees(words):
        case True:
            return begin(words, form.caller, form.message.to, form.message.name)
        case False if len(words.split()) <= 6:
            return Step(say="All right. Is there anything else?")
    return None


def _number(form: Taking, words: str) -> Step:
    said = digits(words)
    if form.caller and not said:
        if agrees(words):
            return _next(replace(form, message=replace(form.message, number=form.caller)))
        if agrees(words) is False:
            return Step(say="On which number, then?", form=replace(form, caller=""))
    whole = form.message.number + said
    if phone_number(whole):
        return _next(replace(form, message=replace(form.message, number=whole)))
    if said and len(whole.lstrip("+")) < LEAST_DIGITS:
        form = replace(form, caller="", message=replace(form.message, number=whole))
        return Step(say=f"{read_out(whole)}. And then?", form=form)
    return _again(replace(form, message=replace(form.message, number="")))


def _checked(form: Taking, words: str) -> Step:
    if agrees(words) and not phone_number(words):
        return Step(say="Thank you, I will pass that on. Is there anything else?", taken=form.message)
    if (mended := _mend(form, words)) is not None:
        return mended
    if agrees(words) is False:
        return Step(say=WHICH, form=replace(form, wanted="which"))
    return _again(form)


def _mend(form: Taking, words: str) -> Step | None:
    """Put right what they say is wrong, or ask for it anew."""
    form = replace(form, mending=True, asked=1)
    if number := phone_number(words):
        return _next(replace(form, wanted="number", message=replace(form.message, number=number)))
    if OF_NUMBER.search(words):
        return ask(replace(form, wanted="number", caller="", message=replace(form.message, number="")))
    if OF_NAME.search(words):
        name = person(re.sub(r"^.*\bname(?: is|'s)?\b", "", words, flags=re.IGNORECASE))
        if name and agrees(name) is None:
            return _next(replace(form, wanted="name", message=replace(form.message, name=name)))
        return ask(replace(form, wanted="name", message=replace(form.message, name="")))
    if OF_TEXT.search(words):
        return ask(replace(form, wanted="text", message=replace(form.message, text="")))
    return None


def _next(form: Taking, before: str = "") -> Step:
    """Ask for the first thing that is missing; where nothing is, read it all back."""
    message = form.message
    if not message.text:
        wanted: Wanted = "text"
    elif not message.name and not form.mending:
        wanted = "name"
    elif not message.number and not form.mending:
        wanted = "number"
    else:
        wanted = "check"
    return ask(replace(form, wanted=wanted, asked=1), before)


def ask(form: Taking, before: str = "") -> Step:
    """Ask for what is wanted, after something else was said."""
    message = form.message
    match form.wanted:
        case "text":
            to = f" to {message.to}" if message.to else ""
            say = "What is it about?" if form.back else f"What shall I pass on{to}?"
        case "name":
            say = "May I have your name, please?"
        case "number":
            say = SAME_NUMBER if form.caller else "And on which number can we reach you?"
        case _:
            who = ", ".join(part for part in (message.name, read_out(message.number)) if part)
            to = f"For {message.to}. " if message.to else ""
            say = f"Let me read that back. {to}{who}. {message.text} Is that right?"
    return Step(say=f"{before} {say}".strip(), form=form)


def _again(form: Taking) -> Step:
    """That was not understood; after the third time it is done without."""
    if form.asked >= MOST_ASKED:
        if form.wanted in ("text", "which"):
            return Step(say="I am sorry, I did not get that. Please call again later.")
        message = form.message
        if form.wanted == "check":
            return Step(say="I will pass that on. Is there anything else?", taken=message)
        if form.wanted == "name":
            message = replace(message, name="a caller")
        return ask(replace(form, wanted="number" if form.wanted == "name" else "check", message=message, asked=1))
    return Step(say=f"I am sorry, I did not get that. {ask(form).say}", form=replace(form, asked=form.asked + 1))


def _sentence(text: str) -> str:
    text = text.strip(" ,;")
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
