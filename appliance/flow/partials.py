"""Transcripts of a turn that is still being spoken: for captions, and for the language model to read ahead."""

from __future__ import annotations

from collections.abc import Callable

from appliance.engines.contracts import Recogniser
from appliance.terms.clock import Clock
from appliance.terms.errors import EngineError
from appliance.terms.units import Pcm

from .wording import settled

EVERY_S = 0.5
SHARE = 0.2
"""A recogniser that is slow is asked less often: partials take no more of its time than this."""


class Partials:
    """One call's. One request at a time; what is older than the turn's last change is dropped."""

    def __init__(self, stt: Recogniser, clock: Clock, tell: Callable[[str, str], None]) -> None:
        """`tell` gets the words so far, and those of them that will hardly change any more."""
        self._stt = stt
        self._clock = clock
        self._tell = tell
        self._words = ""
        self._asking = False
        self._turn = 0
        self._next = 0.0

    def begin(self) -> None:
        """A turn begins."""
        self._turn += 1
        self._words = ""
        self._next = self._clock.now() + EVERY_S

    def end(self) -> None:
        """What is under way comes too late."""
        self._turn += 1

    @property
    def due(self) -> bool:
        return not self._asking and self._clock.now() >= self._next

    async def ask(self, pcm: Pcm) -> None:
        """Transcribe what was said so far."""
        turn, began = self._turn, self._clock.now()
        self._asking = True
        try:
            words = (await self._stt.transcribe(pcm, partial=True)).text
        except EngineError:  # nobody waits for it
            return
        finally:
            self._asking = False
            took = self._clock.now() - began
            self._next = began + max(EVERY_S, took / SHARE)
        if words and turn == self._turn:
            sure, self._words = settled(self._words, words), words
            self._tell(words, sure)
