"""What is said to a caller, and what it depends on. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .filling import Filling, Use
from .people import Connect
from .taking import Message, Taking
from .visiting import Arrived, Visiting

Form = Taking | Filling | Visiting
"""What is being asked of a caller, one thing after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """The caller wants nothing to be remembered of them."""


Act = Message | Connect | Arrived | Forget
"""What is to be done once the answer was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a call has been about, as far as it helps to understand what is said next."""

    asked: str = ""
    """What the caller said before."""
    said: str = ""
    """What they heard last."""
    form: Form | None = None
    """What is being taken from them."""
    caller: str = ""
    """The number they call from, if it is known."""
    name: str = ""
    """Their own, if it is known."""
    door: str = ""
    """By which they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    text: str
    source: str = ""
    """Where the owner wrote it: `prices.md:12`."""
    computed: bool = False
    doubtful: bool = False
    """It may be no answer to what was asked."""
    whole: bool = False
    """What the caller said is a whole question, and no more: for sure."""
    form: Form | None = None
    """What is to be taken from the caller, once they have heard this."""
    act: Act | None = None
    use: Use | None = None
    """Instead of a text: the tool whose result is the answer."""
    notes: str = ""
    """Instead of a text: what the language model should know to write one."""

    @property
    def known(self) -> bool:
        """It answers what was asked."""
        return self.computed or bool(self.source and not self.doubtful)
