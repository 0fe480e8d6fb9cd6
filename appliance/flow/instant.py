"""How known answers begin, rendered beforehand: what a caller waits for is there at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from appliance.engines.contracts import Sound, Synthesiser
from appliance.terms.clock import Clock

from .chunker import Chunker
from .pace import FIRST_WORDS, FIRST_WORDS_SLOW
from .spoken import spoken

MOST_BYTES = 32 * 1024 * 1024
CALM_S = 5.0
"""So long nobody must have wanted speech before some is rendered for later."""


class Instant:
    """A synthesiser that has some clauses already, and asks another for the rest."""

    def __init__(self, tts: Synthesiser, clock: Clock) -> None:
        self._tts = tts
        self._clock = clock
        self._kept: dict[str, tuple[Sound, ...]] = {}
        self._bytes = 0
        self._asked_at = -CALM_S

    @property
    def rate(self) -> int:
        return self._tts.rate

    def __contains__(self, clause: str) -> bool:
        return clause in self._kept

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        if text in self._kept:
            for sound in self._kept[text]:
                yield sound
            return
        self._asked_at = self._clock.now()
        async with aclosing(self._tts.synthesise(text)) as sounds:
            async for sound in sounds:
                self._asked_at = self._clock.now()
                yield sound

    async def render(self, answers: Iterable[str]) -> None:
        """Their first clauses, while nobody needs the synthesiser, as many as may be kept. Raises EngineError."""
        for clause in dict.fromkeys(clause for answer in answers for clause in begins(answer)):
            await self._calm()
            async with aclosing(self._tts.synthesise(clause)) as parts:
                sounds = tuple([sound async for sound in parts])
            self._bytes += sum(sound.pcm.nbytes for sound in sounds)
            if self._bytes > MOST_BYTES:
                return
            self._kept[clause] = sounds

    async def _calm(self) -> None:
        while (wait_s := self._asked_at + CALM_S - self._clock.now()) > 0:  # noqa: ASYNC110 - it is put off again and again
            await asyncio.sleep(wait_s)


def begins(answer: str) -> list[str]:
    """The first clause that is made of it, on a quick device and on a slow one."""
    found = []
    for words in (FIRST_WORDS, FIRST_WORDS_SLOW):
        chunker = Chunker(words)
        first, *_ = [*chunker.feed(answer), *chunker.finish(), ""]
        found.append(spoken(first))
    return [clause for clause in dict.fromkeys(found) if clause]
