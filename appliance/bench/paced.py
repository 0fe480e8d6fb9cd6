"""Real engines for a conversation in virtual time: they work in a loop of their own, and take as long as they are told.

What they answer is computed while the conversation's clock stands still; then it waits as long as the reference machine
would have needed. So a replay depends on the sound and the models, and not on what else the machine does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from appliance.engines.contracts import Engines, Message, Sound, Token, Transcript
from appliance.flow.desk import Find
from appliance.knowledge.answer import Answer, Context
from appliance.terms.errors import EngineError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .warp import WarpLoop

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """Seconds that each engine takes; as in a call on the two-core reference machine."""

    transcript: float = 0.15
    per_second_heard: float = 0.01
    partial: float = 0.13
    first_token: float = 0.08
    token: float = 0.017
    clause: float = 0.03
    per_second_spoken: float = 0.055
    sense: float = 0.05
    find: float = 0.015


class Elsewhere:
    """A loop in a thread of its own, where time is real."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engines", daemon=True)
        self._thread.start()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result, while the calling loop stands still."""
        loop = asyncio.get_running_loop()
        still = loop.standing_still() if isinstance(loop, WarpLoop) else contextlib.nullcontext()
        with still:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The same from outside of any loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PacedEngines:
    """All four contracts over the real ones."""

    def __init__(self, engines: Engines, elsewhere: Elsewhere, speeds: Speeds) -> None:
        self._engines = engines
        self._elsewhere = elsewhere
        self._speeds = speeds

    def engines(self) -> Engines:
        return Engines(stt=self, llm=self, tts=self, sense=self)

    def finding(self, find: Find) -> Find:
        """What is known, as late as it would be found."""

        async def found(words: str, context: Context) -> Answer | None:
            answer = await self._elsewhere.do(find(words, context))
            await asyncio.sleep(self._speeds.find)
            return answer

        return found

    @property
    def rate(self) -> int:
        return self._engines.tts.rate

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        found = await self._elsewhere.do(self._engines.stt.transcribe(pcm, partial=partial, terms=terms))
        heard_s = len(pcm) / CAPTURE_RATE
        whole = self._speeds.transcript + self._speeds.per_second_heard * heard_s
        await asyncio.sleep(self._speeds.partial if partial else whole)
        return found

    async def end_probability(self, pcm: Pcm) -> float:
        probability = await self._elsewhere.do(self._engines.sense.end_probability(pcm))
        await asyncio.sleep(self._speeds.sense)
        return probability

    async def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        takes = self._speeds.first_token
        async with aclosing(self._from(self._engines.llm.generate(call, messages, max_tokens=max_tokens))) as tokens:
            async for token in tokens:
                await asyncio.sleep(takes)
                takes = self._speeds.token
                yield token

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None:
        await self._elsewhere.do(self._engines.llm.prefill(call, messages, ended=ended))

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        likely = await self._elsewhere.do(self._engines.llm.weigh(call, messages))
        await asyncio.sleep(self._speeds.first_token)
        return likely

    async def forget(self, call: str) -> None:
        await self._elsewhere.do(self._engines.llm.forget(call))

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        async with aclosing(self._from(self._engines.tts.synthesise(text))) as sounds:
            async for sound in sounds:
                spoken_s = len(sound.pcm) / self.rate
                await asyncio.sleep(self._speeds.clause + self._speeds.per_second_spoken * spoken_s)
                yield sound

    async def _from(self, answers: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """One after the other, each asked for elsewhere."""
        stream = _Stream(answers)
        try:
            while (answer := await self._elsewhere.do(stream.next())) is not None:
                yield answer
        finally:
            with contextlib.suppress(EngineError):
                await self._elsewhere.do(stream.close())


class _Stream(Generic[T]):
    """What a generator yields, one at a time; it is closed only once a cancelled `next` has ended."""

    def __init__(self, answers: AsyncGenerator[T, None]) -> None:
        self._answers = answers
        self._lock = asyncio.Lock()

    async def next(self) -> T | None:
        async with self._lock:
            return await anext(self._answers, None)

    async def close(self) -> None:
        async with self._lock:
            await self._answers.aclose()
