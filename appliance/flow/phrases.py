"""Words that must not wait for an engine: rendered once, kept as sound in the main process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from appliance.engines.contracts import Synthesiser
from appliance.terms.units import Pcm

FILLER = "One moment, please."
APOLOGY = "I am sorry, I have some trouble right now. Please ask me again in a moment."
BACK = "We are connected again. Please go on."
FAREWELL = "I am sorry, I have to go now. Goodbye."


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    text: str
    pcm: Pcm
    """(n,) int16 mono at `rate`."""
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What the agent can say whatever has failed."""

    greeting: Phrase | None
    filler: Phrase
    apology: Phrase
    back: Phrase
    farewell: Phrase


async def render(tts: Synthesiser, text: str) -> Phrase:
    """Raises EngineError."""
    pieces = [pcm async for pcm in tts.synthesise(text)]
    return Phrase(text=text, pcm=np.concatenate(pieces) if pieces else np.zeros(0, np.int16), rate=tts.rate)


async def render_all(tts: Synthesiser, greeting: str) -> Phrases:
    """All that a call needs; an empty `greeting` is none. Raises EngineError."""
    return Phrases(
        greeting=await render(tts, greeting) if greeting.strip() else None,
        filler=await render(tts, FILLER),
        apology=await render(tts, APOLOGY),
        back=await render(tts, BACK),
        farewell=await render(tts, FAREWELL),
    )
