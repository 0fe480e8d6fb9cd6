"""One reply in the making: transcript → tokens → clauses → speech, each stage overlapping the next.

It may be begun before the turn is known to be over. Until `commit`, it goes no further than it was told to: to the
transcript, or to the first clause's speech; nothing of it is heard. The language model stands still while the first
clause is synthesised: both at once would take twice as long, and that clause is what the caller waits for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from appliance.engines.contracts import Engines, Sound, WholeTurn
from appliance.terms.clock import Clock
from appliance.terms.errors import EngineError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .agent import Agent
from .chunker import Chunker
from .pace import Pace
from .spoken import spoken
from .timeline import Timeline

log = logging.getLogger(__name__)

TELLING_TOKENS = 5
CLAUSES_AHEAD = 4
"""Clauses that may wait for synthesis, and pieces of speech that may wait for playout; then the stage before waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A piece of a reply's sound; `text` with a clause's first piece."""

    text: str
    sound: Sound


class Listener(Protocol):
    """Who wants to know how a reply gets on."""

    def transcribed(self, reply: Reply, words: str) -> bool:
        """What the caller said; False: the reply is not wanted, it ends here."""

    def weighed(self, reply: Reply, words: str, ends: float | None) -> bool:
        """How likely the language model thinks that those words are all; None where it cannot tell. Is it worth going
        ahead?"""

    def written(self, reply: Reply) -> None:
        """The language model has nothing more to do for it, or it was dropped."""


class Reply:
    """Begun by `start`, heard through `speech`, taken back by `drop`."""

    def __init__(self, engines: Engines, agent: Agent, clock: Clock, timeline: Timeline, pace: Pace) -> None:
        self.timeline = timeline
        self.transcript: str | None = None
        self.ends: float | None = None
        """How likely the language model thinks that the transcript is whole."""
        self.text = ""
        """What it has said so far."""
        self.source = ""
        """Where the owner wrote that."""
        self.tokens = 0
        self.llm_s = 0.0
        """How long the language model was waited for, after its first token."""
        self.audio_s = 0.0
        self._engines = engines
        self._agent = agent
        self._clock = clock
        self._max_tokens = pace.max_tokens
        self._chunker = Chunker(pace.first_words)
        self._committed = asyncio.Event()
        self._sounded = asyncio.Event()
        """The first clause is synthesised."""
        self._clauses: asyncio.Queue[str | None] = asyncio.Queue(CLAUSES_AHEAD)
        self._speech: asyncio.Queue[Speech | None] = asyncio.Queue(CLAUSES_AHEAD)
        self._task: asyncio.Task[None] | None = None
        self._listener: Listener | None = None

    def start(self, heard: Pcm | str, listener: Listener, *, ahead: bool) -> None:
        """Work on (n,) int16 16 kHz sound, or on typed words. `ahead`: as far as the first clause before `commit`."""
        self._listener = listener
        self._task = asyncio.create_task(self._run(heard, ahead), name="reply")
        self._task.add_done_callback(self._ended)

    @property
    def tok_s(self) -> float | None:
        """Tokens a second; None where there were too few to tell."""
        return round((self.tokens - 1) / self.llm_s, 1) if self.tokens >= TELLING_TOKENS and self.llm_s > 0 else None

    def commit(self) -> None:
        """The turn is over: go all the way."""
        self._committed.set()

    @property
    def committed(self) -> bool:
        return self._committed.is_set()

    def drop(self) -> None:
        """Nobody wants this reply any more."""
        if self._task is not None:
            self._task.cancel()

    async def dropped(self) -> None:
        """Drop it, and wait until nothing of it is at work any more."""
        self.drop()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def speech(self) -> AsyncIterator[Speech]:
        """The reply's sound. Raises the EngineError that ended it early."""
        assert self._task is not None
        while True:
            get = asyncio.create_task(self._speech.get())
            try:
                await asyncio.wait({get, self._task}, return_when=asyncio.FIRST_COMPLETED)
                if not get.done() and self._speech.empty():
                    self._task.result()  # raises what ended it
                    return
                piece = await get
            finally:
                get.cancel()
            if piece is None:
                return
            yield piece

    async def _run(self, heard: Pcm | str, ahead: bool) -> None:
        assert self._listener is not None
        self.transcript = heard if isinstance(heard, str) else await self._recognise(heard)
        self.timeline.transcript = self._clock.now()
        if not self._listener.transcribed(self, self.transcript):
            return
        if not self.transcript:
            await self._speech.put(None)
            return
        whole = self._engines.whole if isinstance(heard, np.ndarray) else None
        if not ahead or (whole is not None and whole.first):
            await self._committed.wait()
        if whole is not None and whole.first and await self._respond(whole, heard):
            return
        try:
            await self._compute()
        except EngineError:
            if whole is None or whole.first or self.timeline.pcm is not None or not await self._respond(whole, heard):
                raise

    async def _respond(self, whole: WholeTurn, heard: Pcm | str) -> bool:
        """Let somebody answer the sound itself; False where nothing came of it. Raises EngineError in the middle."""
        assert isinstance(heard, np.ndarray)
        await self._committed.wait()
        self.timeline.began.setdefault("llm", self._clock.now())
        try:
            async with aclosing(whole.respond(heard, self._agent.conversation)) as sounds:
                async for sound in sounds:
                    now = self._clock.now()
                    self.timeline.pcm = self.timeline.pcm or now
                    self.timeline.clause = self.timeline.clause or now
                    self.timeline.ended["llm"] = now
                    text = " ".join(word for word, _ in sound.words)
                    self.text += f"{text} "
                    await self._speech.put(Speech(text=text, sound=sound))
        except EngineError as error:
            if self.timeline.pcm is not None:
                raise
            log.warning("a whole turn: %s", error)
        if self.timeline.pcm is None:
            return False
        self._tell_written()
        await self._speech.put(None)
        return True

    async def _compute(self) -> None:
        stages = [asyncio.create_task(self._think()), asyncio.create_task(self._speak())]
        try:
            await asyncio.gather(*stages)
        finally:
            for stage in stages:
                stage.cancel()
            await asyncio.gather(*stages, return_exceptions=True)

    async def _recognise(self, pcm: Pcm) -> str:
        self.timeline.began["stt"] = self._clock.now()
        self.audio_s = len(pcm) / CAPTURE_RATE
        transcript = await self._engines.stt.transcribe(pcm)
        self.timeline.ended["stt"] = self._clock.now()
        return transcript.text

    async def _think(self) -> None:
        try:
            await self._write()
        except EngineError as error:  # what is said is said: whoever can goes on from there
            log.warning("a reply is taken up again: %s", error)
            self._take_back()
            await self._write()
        self._tell_written()
        for clause in self._chunker.finish():
            await self._put(clause)
        await self._clauses.put(None)

    def _take_back(self) -> None:
        """Of what is written, what is no clause yet: nobody speaks it."""
        unfinished = self._chunker.drop()
        said = self.text.removesuffix(unfinished).rstrip()
        self.text = f"{said} " if said else ""

    async def _write(self) -> None:
        assert self.transcript is not None
        asked = self._clock.now()
        self.timeline.began.setdefault("llm", asked)
        told = self.text.rstrip()
        reply = self._agent.reply(
            self.transcript, max_tokens=self._max_tokens, said=told, committed=self._committed.wait
        )
        async with aclosing(reply) as tokens:
            async for token in tokens:
                self.timeline.ended["llm"] = self._clock.now()
                if self.tokens:
                    self.llm_s += self.timeline.ended["llm"] - asked
                else:
                    await self._weigh(token.ends)
                self.tokens += 1
                self.text += token.text
                self.source = self.source or token.source
                for clause in self._chunker.feed(token.text):
                    await self._put(clause)
                asked = self._clock.now()

    async def _weigh(self, ends: float | None) -> None:
        """Before the first clause is written out: is it worth it, while the caller may not have finished?"""
        assert self._listener is not None
        assert self.transcript is not None
        if not self._listener.weighed(self, self.transcript, ends):
            await self._committed.wait()

    async def _put(self, clause: str) -> None:
        if not (clause := spoken(clause)):
            return
        first = self.timeline.clause is None
        if first:
            self.timeline.clause = self._clock.now()
        await self._clauses.put(clause)
        if first:
            await self._sounded.wait()
            await self._committed.wait()

    async def _speak(self) -> None:
        while (clause := await self._clauses.get()) is not None:
            self.timeline.began.setdefault("tts", self._clock.now())
            text = clause
            async with aclosing(self._engines.tts.synthesise(clause)) as pieces:
                async for sound in pieces:
                    self.timeline.ended["tts"] = self._clock.now()
                    if self.timeline.pcm is None:
                        self.timeline.pcm = self._clock.now()
                    await self._speech.put(Speech(text=text, sound=sound))
                    text = ""
            self._sounded.set()
        await self._speech.put(None)

    def _tell_written(self) -> None:
        if self._listener is not None:
            self._listener.written(self)
            self._listener = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        """One that was dropped, or failed before anybody listened, is no news to the event loop."""
        self._tell_written()
        if not task.cancelled():
            task.exception()
