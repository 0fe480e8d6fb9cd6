"""What all calls share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from appliance.engines.contracts import Engines
from appliance.knowledge.clerk import Answer, Context
from appliance.terms.clock import Clock

from .pace import Pace
from .phrases import Phrases
from .vad import Silero

Find = Callable[[str, Context], Coroutine[Any, Any, Answer | None]]
"""What to say to a caller's words, as far as it is known; None: the language model answers. It raises nothing."""


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
    render: Callable[[], Awaitable[None]]
    """Make ready what is said often, while nobody needs the voice. Raises EngineError."""
    clock: Clock
    pace: Pace
    patience: float
    """How long pauses must be, against what `turns.py` holds right."""
    max_pause_s: float
    silence_s: float
    """After so long without a word the caller is asked whether they are there, and then told goodbye; 0: never."""
