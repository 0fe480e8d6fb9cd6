"""What is done for a caller, instead of telling them something. English. Pure.

they want                      then
───────────────────────────────────────────────────────────────────────────────────────────────
something passed on            a message is taken (`taking.py`)
somebody, over the phone       they are put through (`people.py`); where that cannot be, a message is offered
to say that they are here      whoever they have come to see is told (`visiting.py`); not on the phone
one of the owner's tools       what must be known is asked for, and it is used (`filling.py`)

What is wanted is told by plain words, else by likeness of what they said, or of a part of it, to what others have said.
Who asks *about* something ("how do I cancel?") wants to be told, not to have it done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from appliance.terms.meaning import Meaning

from . import filling, taking, visiting
from .answer import Answer, Context, Forget, Form
from .calendar import DAYS, MONTHS
from .filling import Filling, Tool
from .hours import Hours
from .intents import Intents
from .matching import PERHAPS, SURE
from .people import ARRIVES, CONNECTS, HUMAN, IS_HERE, MY_APPOINTMENT, Connect, Person, meant, only_named
from .taking import Taking, asked_for, offered
from .visiting import Visiting

PHONE = "sip"
"""The door whose callers can be put through."""
KIOSK = "kiosk"
NOBODY = "I'm sorry, there is nobody here I could put you through to."
NOT_FROM_HERE = "I'm sorry, I can't put you through to {name} from here."
CONNECTING = "One moment, please, I will put you through to {name}."
FORGOTTEN = "I have forgotten your name and your number. Messages that you have left are still passed on."
OFFER = "Shall I take a message?"
LIKE_A_TOOL, PERHAPS_A_TOOL = 0.46, 0.33
"""From the first likeness on it is begun, from the second on the caller is asked whether that is what they want."""
LIKE_ARRIVED = 0.5
LIKE_PERSON = 0.55
PLAINLY = 0.9
"""Likenesses, of the nearest part of what was said to the nearest example (the cosine of what they mean)."""
ASKS_ABOUT = re.compile(
    r"(?:^|[,.;?!]|\b(?:um|uh|so|and|but|or|well|hello|hi|hey|okay|sorry|excuse me|good \w+))\W*"
    r"(?:how (?!about)|what(?!'s happening)|why|who|which"
    r"|(?:do|does|did|will|am|should|must) (?:i|he|she|it|that|one)\b"
    r"|(?:do|does|did|is|are|was|were)\s+(?!you\b|we\b|my\b|our\b|there\b|any|some|i\b))",
    re.IGNORECASE,
)
"""Wants to be told something. "Do you have a table?" does not, and is like an example."""
REQUESTS = re.compile(
    r"\b(?:can|could|would|will) (?:you|someone|somebody|i|we)\b|\b(?:please|let me|let us|need|want|mind)\b"
    r"|\bi'd like\b|\b\w+n't\b|\b(?:cannot|not|shut|closed|locked|stuck)\b"
    r"|^\W*(?:turn|open|switch|put|unlock|close|shut|start|stop)\b",
    re.IGNORECASE,
)
"""Wants something done. Who only speaks of it does not."""
CANCELS = re.compile(
    r"\b(?:cancel\w*|call(?:ed|ing)? (?:it |that )?off"
    r"|(?:won't|can't|cannot|can not|not able to|unable to) (?:come|make it)|(?:don't|doesn't|no longer|not) need\b)",
    re.IGNORECASE,
)
CANCELLED = 0.2
"""So much liker what cancels something is to what is said by somebody who cancels: to the model, who books says
almost the same."""
ASKS_WHO = re.compile(r"\b(?:are you|is (?:this|that|it)|am i (?:talking|speaking))\b", re.IGNORECASE)
""""Are you a real person?" asks for none."""
LATER = re.compile(
    rf"\b(?:tomorrow|nights?|cancel\w*|{'|'.join(DAYS)}|{'|'.join(month for month in MONTHS if month != 'May')})\b",
    re.IGNORECASE,
)
"""Who speaks of another day is not here."""
FORGETS = re.compile(
    r"\bforget (?:me|about me|my (?:name|number|details|data))\b"
    r"|\b(?:delete|erase|remove) (?:all )?my (?:data|details|name|number|information)\b|\bdo(?:n't| not) remember me\b",
    re.IGNORECASE,
)
PARTS = re.compile(r"(?<=[.?!;])\s+|,\s+|\s+(?:and|but|so|because|then)\s+", re.IGNORECASE)
LEAST_PART, MOST_PARTS = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What can be done here."""

    people: Sequence[Person] = ()
    operator: Person | None = None
    """Whom callers get who want somebody, no matter whom."""
    tools: Sequence[Tool] = ()
    takes_messages: bool = True
    checks_in: bool = True
    """Somebody is told of visitors."""
    remembers: bool = False
    """Callers are known by their names when they call again."""


class Service:
    def __init__(self, offers: Offers, intents: Intents, hours: Sequence[Hours], now: Callable[[], datetime]) -> None:
        self._offers = offers
        self._intents = intents
        self._tools = {tool.name: tool for tool in offers.tools}
        self._house = next((one for one in hours if not one.subject), None)
        self._now = now

    def parts(self, words: str) -> list[str]:
        """What of the words is to be read, each by itself, to tell what is wanted."""
        if not self._tools and not self._offers.people:
            return []
        return [part for part in PARTS.split(words) if len(part.split()) >= LEAST_PART][:MOST_PARTS]

    def plainly(self, words: str, context: Context) -> Answer | None:
        """What is wanted in so many words."""
        if self._offers.remembers and FORGETS.search(words):
            return Answer(text=FORGOTTEN, act=Forget())
        if context.door != PHONE and self._offers.checks_in and IS_HERE.search(words):
            return self._arrived(words, context)
        if self._offers.takes_messages and asked_for(words):
            return self.message(words, context)
        if context.door != PHONE:
            return None
        if CONNECTS.search(words) and (person := meant(words, self._offers.people)):
            return self.connect(person, context)
        if HUMAN.search(words) and not ASKS_WHO.search(words) and self._offers.operator is not None:
            return self.connect(self._offers.operator, context)
        if (person := only_named(words, self._offers.people)) is not None:
            return self.connect(person, context)
        return None

    def wished(self, words: str, meanings: Sequence[Meaning], context: Context, *, known: float) -> Answer | None:
        """What is wanted by what the words, and their parts, mean. `known`: the chance that the owner has written the
        answer to them."""
        tool, like = self._likest(words, meanings)
        about = ASKS_ABOUT.search(words) is not None
        least = PLAINLY if context.door == KIOSK else LIKE_A_TOOL
        visits = context.door != PHONE and self._offers.checks_in and known < SURE and like < least
        if visits and not about and not words.rstrip().endswith("?") and self._is_here(words, context, meanings):
            return self._arrived(words, context)
        wants = self._intents.like("person", meanings) >= LIKE_PERSON
        if wants and context.door == PHONE and self._offers.people and like < LIKE_A_TOOL:
            return self.connect(meant(words, self._offers.people) or self._offers.operator, context)
        if like < PERHAPS_A_TOOL or (like < PLAINLY and (about or known >= SURE)):
            return None
        if like >= LIKE_A_TOOL and (self._tools[tool].asks or REQUESTS.search(words)):
            return self._use(self._tools[tool], words, context)
        if known >= PERHAPS:
            return None
        offered = filling.offer(self._tools[tool], words, _known(context))
        return Answer(text=offered.say, form=offered.form)

    def _is_here(self, words: str, context: Context, meanings: Sequence[Meaning]) -> bool:
        """Is it a visitor who says so? They ask nothing."""
        if context.door != KIOSK and LATER.search(words):
            return False
        if ARRIVES.search(words) or self._intents.like("arrived", meanings) >= LIKE_ARRIVED:
            return True
        if context.door != KIOSK:
            return False
        if MY_APPOINTMENT.search(words):
            return True
        return meant(words, self._offers.people) is not None and not CONNECTS.search(words)

    def _likest(self, words: str, meanings: Sequence[Meaning]) -> tuple[str, float]:
        """The tool that is likeliest to be meant, and how like that is."""
        found = self._intents.tools(meanings)
        if CANCELS.search(words):
            for tool in self._offers.tools:
                if any(CANCELS.search(example) for example in tool.examples):
                    found[tool.name] += CANCELLED
        return max(found.items(), key=lambda item: item[1], default=("", 0.0))

    def message(self, words: str, context: Context) -> Answer:
        step = taking.begin(words, context.caller, name=context.name)
        return Answer(text=step.say, form=step.form)

    def connect(self, person: Person | None, context: Context) -> Answer:
        if person is not None and person.phone and context.door == PHONE:
            return Answer(text=CONNECTING.format(name=person.name), act=Connect(person=person))
        if person is None:
            return self.offering(Answer(text=NOBODY), context)
        return self.offering(Answer(text=NOT_FROM_HERE.format(name=person.name)), context, person.name)

    def offering(self, answer: Answer, context: Context, to: str = "") -> Answer:
        """With the offer to take a message, if one is taken."""
        if not self._offers.takes_messages:
            return answer
        return replace(answer, text=f"{answer.text} {OFFER}", form=offered(context.caller, to, context.name))

    def go_on(self, form: Form, words: str) -> Answer | None:
        """What to say to the answer to what was asked. None: they pass over what was offered."""
        match form:
            case Taking():
                step = taking.go_on(form, words)
                return None if step is None else Answer(text=step.say, form=step.form, act=step.taken)
            case Visiting():
                visit = visiting.go_on(form, words, self._offers.people)
                return Answer(text=visit.say, form=visit.form, act=visit.arrived)
            case Filling():
                filled = filling.go_on(form, words, self._now(), self._opens)
                return None if filled is None else Answer(text=filled.say, form=filled.form, use=filled.use)

    def question(self, form: Form) -> str:
        """What is being asked, once more."""
        match form:
            case Taking():
                return taking.ask(form).say
            case Visiting():
                return visiting.ask(form)
            case Filling():
                return filling.ask(form, self._now())

    def _arrived(self, words: str, context: Context) -> Answer:
        step = visiting.begin(words, self._offers.people, context.name)
        return Answer(text=step.say, form=step.form, act=step.arrived)

    def _use(self, tool: Tool, words: str, context: Context) -> Answer:
        filled = filling.begin(tool, words, self._now(), known=_known(context), opens=self._opens)
        return Answer(text=filled.say, form=filled.form, use=filled.use)

    def _opens(self, day: date, minute: int) -> bool | None:
        """Is the house open then?"""
        spans = None if self._house is None else self._house.on(day)
        return None if spans is None else any(begin <= minute < end for begin, end in spans)


def _known(context: Context) -> dict[str, str]:
    """Of the caller, by kind."""
    return {kind: value for kind, value in (("phone", context.caller), ("name", context.name)) if value}
