"""The engines of one call, each of its stages computed by whoever is in time: the device, or a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial

import numpy as np

from appliance.dsp.loudness import gain_for, levelled
from appliance.dsp.resample import Resampler
from appliance.terms.errors import EngineError, EngineLate, ProviderError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .cloud.provider import Provider, read
from .contracts import Engines, Message, Sound, Token, Transcript
from .ledger import LOCAL
from .purse import Usage
from .routes import Routes, Trip
from .routing import IF_FAILED, Plan

CLAUSE_WORDS = 3
"""With so many words, or punctuation, a reply can begin to be spoken: the language model's first useful result."""
PIECE_S = 0.2
"""Of a provider's speech so much is handed on at once."""
STALL_S, STALL_TIMES = 0.7, 8.0
"""No token for so long, and so many times the usual gap: it has stalled."""


def routed(routes: Routes, door: str) -> Engines:
    """Those of one call."""
    trip = Trip(routes, door)
    return Engines(
        stt=RoutedRecogniser(trip),
        llm=RoutedLanguageModel(trip),
        tts=RoutedSynthesiser(trip),
        sense=routes.local.sense,
        whole=RoutedTurn(trip) if routes.offers("turn") else None,
        ledger=trip.ledger,
    )


class RoutedRecogniser:
    def __init__(self, trip: Trip) -> None:
        self._trip = trip
        self._routes = trip.routes

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        """What is still being said never leaves."""
        routes, trip = self._routes, self._trip
        candidates = [] if partial else trip.candidates("stt")
        if partial:
            return await routes.local.stt.transcribe(pcm, partial=True)
        found, outlook = routes.plan("stt", candidates)
        trip.ledger.expected("stt", _finite(outlook.expected_s))

        ours: Transcript | None = None

        async def local() -> AsyncGenerator[str, None]:
            nonlocal ours
            began = routes.clock.now()
            ours = await routes.local.stt.transcribe(pcm, terms=terms)
            routes.speeds["stt"].took(routes.clock.now() - began)
            yield ours.text

        def remote(provider: Provider) -> AsyncGenerator[str, None]:
            guess = Usage(audio_s=len(pcm) / CAPTURE_RATE)
            answer = provider.transcribe(pcm, language=routes.language)
            return routes.ask(provider, trip, "stt", pcm.nbytes, answer, guess)

        text = ""
        async with aclosing(trip.race("stt", local, remote, candidates, found, lambda text: True)) as answer:
            async for piece in answer:
                text += piece
        if ours is not None and ours.text == text:
            return ours
        return Transcript(text=text, audio_s=len(pcm) / CAPTURE_RATE)


class RoutedLanguageModel:
    """One call's. Where its answer stalls, and somebody else could go on, that is an EngineLate: the flow then asks
    again with what was said already, and this time a provider is started at once."""

    def __init__(self, trip: Trip) -> None:
        self._trip = trip
        self._routes = trip.routes
        self._stalled = False

    async def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        routes, trip = self._routes, self._trip
        candidates = trip.candidates("llm")
        found, outlook = routes.plan("llm", candidates)
        rescuing, self._stalled = self._stalled, False
        if rescuing and candidates:
            found = Plan(local_s=IF_FAILED, cloud_s=0.0, why="the device's answer stalled")
        trip.ledger.expected("llm", _finite(outlook.expected_s))
        if found.cloud_s == 0.0:
            yield Token("")  # nobody will tell how likely the caller has finished: let others find out meanwhile
        measured, began, won = Watch(routes), routes.clock.now(), False

        def contested() -> bool:
            return found.cloud_s is not None and routes.clock.now() - began >= found.cloud_s

        local = partial(self._own, call, messages, max_tokens, measured, contested)
        remote = partial(self._ask, messages, max_tokens)
        rescuable = bool(candidates) and not rescuing
        race = trip.race("llm", local, remote, candidates, found, lambda token: measured.useful)
        async with aclosing(race) as tokens:
            while True:
                ours = won and trip.ledger.by("llm") == LOCAL
                try:
                    async with asyncio.timeout(measured.patience_s if rescuable and ours else None):
                        token = await anext(tokens, None)
                except TimeoutError:
                    self._stalled = True
                    trip.ledger.went("llm", LOCAL, "stalled")
                    raise EngineLate("the language model has stalled") from None
                except EngineError:
                    self._stalled = True
                    raise
                if token is None:
                    return
                won = True
                yield token

    async def _own(
        self,
        call: str,
        messages: Sequence[Message],
        max_tokens: int,
        measured: Watch,
        contested: Callable[[], bool],
    ) -> AsyncGenerator[Token, None]:
        """The device's answer, measured: only the time counts in which somebody waits for a token. Once a provider
        has been asked too, nothing is told before it is useful: a first token would win, and the rest be slow."""
        clock, held = self._routes.clock, list[Token]()
        async with aclosing(self._routes.local.llm.generate(call, messages, max_tokens=max_tokens)) as tokens:
            asked = clock.now()
            async for token in tokens:
                measured.waited(clock.now() - asked, token.text)
                held.append(token)
                if measured.useful or not contested():
                    for one in held:
                        yield one
                    held.clear()
                asked = clock.now()
            for one in held:
                yield one

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None:
        await self._routes.local.llm.prefill(call, messages, ended=ended)

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        return await self._routes.local.llm.weigh(call, messages)

    async def forget(self, call: str) -> None:
        await self._routes.local.llm.forget(call)

    async def _ask(
        self, messages: Sequence[Message], max_tokens: int, provider: Provider
    ) -> AsyncGenerator[Token, None]:
        trip = self._trip
        told = trip.hide(messages)
        size = sum(len(m.text.encode()) for m in told)
        guess = Usage(tokens_in=read(told), tokens_out=max_tokens // 2)
        answer = provider.generate(told, max_tokens=max_tokens)
        said = told[-1].text if told[-1].role == "assistant" else ""
        if trip.redaction is not None:
            trip.redaction.rest()  # of an answer that was cut off
        asked = self._routes.ask(provider, trip, "llm", size, answer, guess)
        async with aclosing(going_on(said, asked)) as pieces:
            async for piece in pieces:
                yield Token(piece if trip.redaction is None else trip.redaction.show(piece))
        if trip.redaction is not None and (rest := trip.redaction.rest()):
            yield Token(rest)


class Watch:
    """Looks at the tokens of the device's answer: how long its first clause took, and whether it has stalled."""

    def __init__(self, routes: Routes) -> None:
        self.tokens = 0
        self.useful = False
        """There is enough of it to be spoken."""
        self._routes = routes
        self._text = ""
        self._waited_s = 0.0

    @property
    def patience_s(self) -> float:
        """So long the next token is waited for."""
        if self.useful:
            return max(STALL_S, STALL_TIMES * (self._routes.gaps.usual or 0.0))
        longest = self._routes.speeds["llm"].longest or 0.0
        return max(STALL_S, 2 * longest - self._waited_s, 2 * self._routes.budget_s("llm") - self._waited_s)

    def waited(self, seconds: float, text: str) -> None:
        """A token came."""
        self.tokens += 1
        self._text += text
        self._waited_s += seconds
        if self.tokens > 1:
            self._routes.gaps.took(seconds)
        words = self._text.split()
        if not self.useful and words and (len(words) > CLAUSE_WORDS or words[-1][-1] in ".!?,;:"):
            self.useful = True
            self._routes.speeds["llm"].took(self._waited_s)


class RoutedSynthesiser:
    """A clause is spoken by one voice, whole: of a provider's, nothing is heard before all of it is there."""

    def __init__(self, trip: Trip) -> None:
        self._trip = trip
        self._routes = trip.routes

    @property
    def rate(self) -> int:
        return self._routes.local.tts.rate

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        routes, trip = self._routes, self._trip
        personal = trip.redaction is not None and trip.redaction.text(text) != text
        candidates = [] if personal else trip.candidates("tts")
        found, outlook = routes.plan("tts", candidates)
        trip.ledger.expected("tts", _finite(outlook.expected_s))

        async def local() -> AsyncGenerator[Sound, None]:
            began, first = routes.clock.now(), True
            async with aclosing(routes.local.tts.synthesise(text)) as sounds:
                async for sound in sounds:
                    if first:
                        first = False
                        routes.speeds["tts"].took(routes.clock.now() - began)
                    yield sound

        race = trip.race("tts", local, partial(self._ask, text), candidates, found, lambda sound: True)
        async with aclosing(race) as sounds:
            async for sound in sounds:
                yield sound

    async def _ask(self, text: str, provider: Provider) -> AsyncGenerator[Sound, None]:
        guess = Usage(characters=len(text))
        answer = provider.synthesise(text)
        pieces: list[Pcm] = []
        async with aclosing(self._routes.ask(provider, self._trip, "tts", len(text.encode()), answer, guess)) as parts:
            async for piece in parts:
                pieces.append(piece)
        resampler = Resampler(provider.rate, self.rate)
        pcm = np.concatenate([*(resampler.feed(piece) for piece in pieces), resampler.finish()])
        if not len(pcm):
            raise ProviderError(f"{provider.config.name} sent no sound")
        pcm = await asyncio.to_thread(_as_loud_as_ours, pcm, self.rate)
        yield Sound(pcm=pcm, words=estimated(text, len(pcm)))


class RoutedTurn:
    """Whole turns of a provider, from speech to speech. Nothing of it within the turn's budget: it has failed."""

    def __init__(self, trip: Trip) -> None:
        self._trip = trip
        self._routes = trip.routes

    @property
    def first(self) -> bool:
        return self._routes.policy("turn") == "cloud" and bool(self._trip.candidates("turn"))

    async def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[Sound, None]:
        trip, rate = self._trip, self._routes.local.tts.rate
        provider = next(iter(trip.candidates("turn")), None)
        if provider is None:
            raise ProviderError("nobody answers whole turns now")
        told = trip.hide(messages)
        size = pcm.nbytes + sum(len(m.text.encode()) for m in told)
        guess = Usage(tokens_in=read(told), tokens_out=200)
        asked = self._routes.ask(provider, trip, "turn", size, provider.respond(pcm, told), guess)
        resampler, words = Resampler(provider.rate, rate), ""
        sound: Pcm = np.zeros(0, np.int16)
        late = asyncio.timeout(self._routes.budget_s("turn"))
        try:
            async with aclosing(asked) as pieces, late:
                async for piece in pieces:
                    if isinstance(piece, np.ndarray):
                        sound = np.concatenate([sound, resampler.feed(piece)])
                        late.reschedule(None)  # from the first sound on, the wire minds silences
                    else:
                        words += str(piece)
                    if len(sound) >= rate * PIECE_S:
                        trip.ledger.went("llm", provider.config.name, "a whole turn")
                        trip.ledger.went("tts", provider.config.name)
                        yield Sound(pcm=sound, words=estimated(words, len(sound)))
                        words, sound = "", sound[:0]
        except TimeoutError:
            raise ProviderError(f"{provider.config.name} was too late") from None
        sound = np.concatenate([sound, resampler.finish()])
        if len(sound):
            yield Sound(pcm=sound, words=estimated(words, len(sound)))


def _as_loud_as_ours(pcm: Pcm, rate: int) -> Pcm:
    return levelled(pcm, gain_for(pcm, rate), rate)


async def going_on(said: str, pieces: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """The rest of a message, without what was `said` of it, where that is repeated all the same."""
    known, held = " ".join(said.split()), ""
    repeating = bool(known)
    async with aclosing(pieces):
        async for piece in pieces:
            held += piece
            plain = " ".join(held.split())
            if repeating and known.startswith(plain):
                continue
            yield plain[len(known) :] if repeating and plain.startswith(known) else held
            repeating, held = False, ""
    if held and " ".join(held.split()) != known:
        yield held


def estimated(text: str, samples: int) -> tuple[tuple[str, int], ...]:
    """Each word with the sample at which it has been said, as if each letter took as long."""
    words = text.split()
    whole, so_far, found = sum(len(word) + 1 for word in words), 0, []
    for word in words:
        so_far += len(word) + 1
        found.append((word, samples * so_far // whole))
    return tuple(found)


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or seconds == IF_FAILED else seconds
