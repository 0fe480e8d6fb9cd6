"""Words that must not wait for an engine: rendered once, kept as sound in the main process."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.engines.contracts import Sound, Synthesiser

FILLER = "One moment, please."
APOLOGY = "I am sorry, I have some trouble right now. Please ask me again in a moment."
BACK = "We are connected again. Please go on."
FAREWELL = "I am sorry, I have to go now. Goodbye."
STILL_THERE = "Are you still there?"
GOODBYE = "It seems that you have gone. Thank you for calling. Goodbye."


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    text: str
    sounds: tuple[Sound, ...]
    """At `rate`."""
    rate: int

    @property
    def duration_ms(self) -> float:
        return round(sum(len(sound.pcm) for sound in self.sounds) / self.rate * 1000, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What the agent can say whatever has failed."""

    greeting: Phrase | None
    filler: Phrase
    apology: Phrase
    back: Phrase
    farewell: Phrase
    still_there: Phrase
    goodbye: Phrase


async def render(tts: Synthesiser, text: str) -> Phrase:
    """Raises EngineError."""
    return Phrase(text=text, sounds=tuple([sound async for sound in tts.synthesise(text)]), rate=tts.rate)


async def render_all(tts: Synthesiser, greeting: str) -> Phrases:
    """All that a call needs; an empty `greeting` is none. Raises EngineError."""
    return Phrases(
        greeting=await render(tts, greeting) if greeting.strip() else None,
        filler=await render(tts, FILLER),
        apology=await render(tts, APOLOGY),
        back=await render(tts, BACK),
        farewell=await render(tts, FAREWELL),
        still_there=await render(tts, STILL_THERE),
        goodbye=await render(tts, GOODBYE),
    )
