"""The engines as the main process sees them: contracts on one side, a worker's wire on the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import numpy as np

from appliance.engines.contracts import Message, Sound, Token, Transcript
from appliance.terms.errors import EngineDown
from appliance.terms.meaning import Meaning
from appliance.terms.units import CAPTURE_RATE, Pcm
from appliance.workers.supervisor import Worker

from .precedence import IN_ADVANCE, Precedence

STT_DEADLINE_S = 10.0
LLM_DEADLINE_S = 30.0
TTS_DEADLINE_S = 10.0
SENSE_DEADLINE_S = 1.0
READ_DEADLINE_S = 1.0
READ_AHEAD_DEADLINE_S = 20.0
READ_AT_ONCE = 16
READ_AHEAD_AT_ONCE = 4
"""So many texts in one request, 25 ms for later ones: the end of a turn is judged by the same worker, and waits."""
FORGET_DEADLINE_S = 5.0


class LocalRecogniser:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.precedence = Precedence()

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        heard: dict[str, str] = {}
        with self.precedence.request(in_advance=partial) as priority:
            arguments = {"partial": True, "priority": IN_ADVANCE} if partial else {"terms": terms, "priority": priority}
            request = self._worker.stream("transcribe", arguments, _bytes(pcm), deadline_s=STT_DEADLINE_S)
            async with aclosing(request) as parts:
                async for part in parts:
                    heard = {key: str(part.meta[key]) for key in ("text", "again")}
        return Transcript(**{"text": "", **heard}, audio_s=len(pcm) / CAPTURE_RATE)


class LocalLanguageModel:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.precedence = Precedence()

    async def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        told = {"call": call, "messages": [[m.role, m.text] for m in messages], "max_tokens": max_tokens}
        with self.precedence.request() as priority:
            request = self._worker.stream("generate", {**told, "priority": priority}, deadline_s=LLM_DEADLINE_S)
            async with aclosing(request) as parts:
                async for part in parts:
                    yield Token(str(part.meta["text"]), part.meta.get("ends"))

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None:
        told = {"call": call, "messages": [[m.role, m.text] for m in messages], "ended": ended}
        with self.precedence.request(in_advance=not ended) as priority:
            request = self._worker.stream("prefill", {**told, "priority": priority}, deadline_s=LLM_DEADLINE_S)
            async with aclosing(request) as parts:
                async for _ in parts:
                    pass

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        async with aclosing(self.generate(call, messages, max_tokens=1)) as tokens:
            async for token in tokens:
                return token.ends
        return None

    async def forget(self, call: str) -> None:
        if not self._worker.is_ready:
            return  # a dead worker has forgotten already
        async with aclosing(self._worker.stream("forget", {"call": call}, deadline_s=FORGET_DEADLINE_S)) as parts:
            async for _ in parts:
                pass


class LocalSynthesiser:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.precedence = Precedence()

    @property
    def rate(self) -> int:
        """Known once the worker was ready for the first time; EngineDown before."""
        if "rate" not in self._worker.facts:
            raise EngineDown("tts has not started yet")
        return int(self._worker.facts["rate"])

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        with self.precedence.request() as priority:
            told = {"text": text, "priority": priority}
            request = self._worker.stream("synthesise", told, deadline_s=TTS_DEADLINE_S)
            async with aclosing(request) as parts:
                async for part in parts:
                    words = tuple((str(word), int(end)) for word, end in part.meta["words"])
                    yield Sound(pcm=np.frombuffer(part.data, np.dtype("<i2")), words=words)


class LocalTurnDetector:
    def __init__(self, worker: Worker, precedence: Precedence) -> None:
        """`precedence`: of the worker, which it shares with the reader."""
        self._worker = worker
        self._precedence = precedence

    async def end_probability(self, pcm: Pcm) -> float:
        if not self._worker.is_ready:
            raise EngineDown("sense is not ready")  # nobody waits for it: pauses and words decide alone
        probability = 0.5
        with self._precedence.request() as priority:
            told = {"priority": priority}
            async with aclosing(self._worker.stream("end", told, _bytes(pcm), deadline_s=SENSE_DEADLINE_S)) as parts:
                async for part in parts:
                    probability = float(part.meta["probability"])
        return probability


class LocalReader:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.precedence = Precedence()

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        found: list[Meaning] = []
        at_once = READ_AHEAD_AT_ONCE if ahead else READ_AT_ONCE
        deadline_s = READ_AHEAD_DEADLINE_S if ahead else READ_DEADLINE_S
        with self.precedence.request() as priority:
            for start in range(0, len(texts), at_once):
                some = list(texts[start : start + at_once])
                arguments = {"texts": some, "priority": IN_ADVANCE if ahead else priority}
                async with aclosing(self._worker.stream("read", arguments, deadline_s=deadline_s)) as parts:
                    async for part in parts:
                        vectors = np.frombuffer(part.data, np.dtype("<f4")).reshape(1 + len(part.meta["words"]), -1)
                        found.append(Meaning(whole=vectors[0], words=tuple(part.meta["words"]), each=vectors[1:]))
        return found


def _bytes(pcm: Pcm) -> bytes:
    return pcm.astype("<i2", copy=False).tobytes()
