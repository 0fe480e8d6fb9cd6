"""What all calls share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.engines.contracts import Engines
from appliance.knowledge.answer import Answer, Context
from appliance.knowledge.filling import Use
from appliance.knowledge.lexicon import Lexicon
from appliance.knowledge.people import Person
from appliance.terms.clock import Clock

from .pace import Pace
from .phrases import Phrases
from .vad import Silero

Find = Callable[[str, Context], Coroutine[Any, Any, Answer | None]]
"""What to say to a caller's words, as far as it is known; None: the language model answers. It raises nothing."""


class Hands(Protocol):
    """What can be done in the world."""

    async def use(self, use: Use, about: Mapping[str, str]) -> str:
        """Use a tool; what to say of it. `about`: the call. It raises nothing."""

    async def connect(self, call: str, person: Person) -> None:
        """Put a caller through. Raises FrontdeskError where that came to nothing: then the call goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who answers, with what, and how."""

    engines: Engines
    silero: Silero
    phrases: Phrases
    notice: str
    """Said after the first words of a call of ours."""
    instructions: str
    find: Find
    lexicon: Lexicon
    """The words that callers are likely to say."""
    hands: Hands
    render: Callable[[], Awaitable[None]]
    """Make ready what is said often, while nobody needs the voice. Raises EngineError."""
    clock: Clock
    pace: Pace
    patience: float
    """How long pauses must be, against what `turns.py` holds right."""
    max_pause_s: float
    silence_s: float
    """After so long without a word the caller is asked whether they are there, and then told goodbye; 0: never."""
