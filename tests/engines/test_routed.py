"""A call's engines, each stage computed by whoever is in time, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from appliance.bench.warp import LoopClock, warped
from appliance.engines.contracts import Engines, Message, Sound, Token, Transcript
from appliance.engines.purse import Purse, Usage
from appliance.engines.routed import going_on, routed
from appliance.engines.routes import Routes, Standing
from appliance.terms.config import CloudConfig, CloudProvider
from appliance.terms.errors import EngineDown, EngineError, ProviderError
from appliance.terms.events import Egress, ProviderChanged, Route
from appliance.terms.units import Pcm

RATE = 22_050
SPEECH = np.ones(16_000, np.int16)
TALK = [Message("system", "Be brief."), Message("user", "My name is Anna, 0779 123456.")]
ANSWER = "We open at eight, and close at six. On Sunday we are closed."
NEVER = 1e6


@dataclass
class Desk:
    """The device's own engines, and how quick they are. Seconds."""

    rate: int = RATE
    first_s: float = 0.1
    gap_s: float = 0.02
    dies_after: int | None = None
    stalls_after: int | None = None
    works: bool = True
    waiting: int = 0
    asked: list[list[Message]] = field(default_factory=list)

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        await asyncio.sleep(self.first_s)
        return Transcript(text="here", audio_s=1.0)

    async def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        self.asked.append(list(messages))
        if not self.works:
            await asyncio.sleep(NEVER)
        said = messages[-1].text if messages[-1].role == "assistant" else ""
        words = [f"{word} " for word in ANSWER.removeprefix(said).split()]
        await asyncio.sleep(self.first_s)
        for number, word in enumerate(words):
            if number == self.dies_after:
                self.dies_after = None
                raise EngineDown("llm died")
            if number == self.stalls_after:
                await asyncio.sleep(NEVER)
            yield Token(word, ends=0.9 if number == 0 else None)
            await asyncio.sleep(self.gap_s)

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None: ...

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        return 0.9

    async def forget(self, call: str) -> None: ...

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        await asyncio.sleep(self.first_s)
        yield Sound(pcm=np.ones(100, np.int16), words=((text, 100),))

    async def end_probability(self, pcm: Pcm) -> float:
        return 0.5


@dataclass
class Helper:
    """A provider, and how it is. Seconds."""

    config: CloudProvider
    first_s: float = 0.15
    error: ProviderError | None = None
    rate: int = 24_000
    asked: list[Any] = field(default_factory=list)

    async def _wait(self, what: Any) -> None:
        self.asked.append(what)
        await asyncio.sleep(self.first_s)
        if self.error is not None:
            raise self.error

    async def generate(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str | Usage, None]:
        await self._wait(list(messages))
        yield "Helped, "
        yield "gladly."
        yield Usage(tokens_in=100, tokens_out=2)

    async def transcribe(self, pcm: Pcm, *, language: str) -> AsyncGenerator[str | Usage, None]:
        await self._wait(len(pcm))
        yield "there"
        yield Usage(audio_s=1.0)

    async def synthesise(self, text: str) -> AsyncGenerator[Pcm | Usage, None]:
        await self._wait(text)
        for _ in range(4):
            yield (4000 * np.sin(np.arange(6000) / 10)).astype(np.int16)
        yield Usage(characters=len(text))

    async def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[str | Pcm | Usage, None]:
        await self._wait((len(pcm), list(messages)))
        for word in ("Speech ", "for speech."):
            yield word
            yield np.full(6000, 1000, np.int16)
        yield Usage(tokens_in=50, tokens_out=50)


class Room:
    """Everything of one device."""

    def __init__(self, *helpers: Helper, desk: Desk | None = None, budget_s: float = 1.2, **config: Any) -> None:
        self.desk = desk or Desk()
        self.helpers = helpers or (helper(),)
        self.told: list[ProviderChanged] = []
        self.clock = LoopClock()
        self.purse = Purse(config.pop("spend_hour", 0.0), 0.0)
        self.routes = Routes(
            Engines(stt=self.desk, llm=self.desk, tts=self.desk, sense=self.desk),
            self.helpers,
            CloudConfig(**{"allow": "audio", **config}),
            budget_s=budget_s,
            language="en",
            clock=self.clock,
            standing=lambda stage: Standing(works=self.desk.works, waiting=self.desk.waiting),
            emit=self.told.append,
            purse=self.purse,
        )
        self.engines = routed(self.routes, "webrtc")

    async def answer(self, talk: Sequence[Message] = TALK) -> tuple[str, float]:
        """What the language model says, and after how long it began."""
        began, first, text = self.clock.now(), None, ""
        async with aclosing(self.engines.llm.generate("a", talk, max_tokens=80)) as tokens:
            async for token in tokens:
                first = self.clock.now() if first is None and token.text else first
                text += token.text
        return text.strip(), round((first or 0.0) - began, 3)


def helper(name: str = "helper", **about: Any) -> Helper:
    return Helper(CloudProvider(name=name, stt="a", llm="b", tts="c", turn="d", price_input=1000.0), **about)


def run(work: Coroutine[Any, Any, None]) -> None:
    warped(work)


def test_a_healthy_device_computes_alone() -> None:
    async def go() -> None:
        room = Room()
        for _ in range(20):
            assert await room.answer() == (ANSWER, 0.1)
            assert (await room.engines.stt.transcribe(SPEECH)).text == "here"
            assert [s async for s in room.engines.tts.synthesise("Yes.")]
        settled = room.engines.ledger.settle()
        assert (settled.route, settled.why, settled.egress, settled.wasted_hedges) == (Route(), None, (), 0)
        assert settled.predicted_ms["stt"] == 100
        assert not room.helpers[0].asked

    run(go())


def test_a_slow_one_is_helped_in_time_and_then_from_the_start() -> None:
    async def go() -> None:
        room = Room(desk=Desk(first_s=5.0, gap_s=0.5))
        text, first_s = await room.answer()
        assert text == "Helped, gladly."
        assert first_s <= 1.2 * 0.35 + 0.2
        for _ in range(6):
            await room.answer()
        text, first_s = await room.answer()
        assert (text, first_s) == ("Helped, gladly.", 0.15)
        settled = room.engines.ledger.settle()
        assert settled.route == Route(llm="helper")
        assert "expected after" in (settled.why or "")

    run(go())


def test_a_first_token_does_not_win_where_the_rest_is_slow() -> None:
    async def go() -> None:
        room = Room(desk=Desk(first_s=0.6, gap_s=0.5), llm="lag")
        room.helpers[0].first_s = 0.3
        text, first_s = await room.answer()
        assert (text, round(first_s, 2)) == ("Helped, gladly.", 0.72)
        slow = Room(desk=Desk(first_s=0.3, gap_s=0.02))
        assert await slow.answer() == (ANSWER, 0.3), "nobody else was asked yet"
        await room.routes.close()

    run(go())


def test_a_device_that_recovers_computes_alone_again() -> None:
    async def go() -> None:
        room = Room(desk=Desk(first_s=2.0))
        for _ in range(8):
            await room.answer()
        room.desk.first_s = 0.05
        for _ in range(45):
            await room.answer()
        before = len(room.helpers[0].asked)
        for _ in range(10):
            assert (await room.answer())[0] == ANSWER
        assert len(room.helpers[0].asked) == before

    run(go())


def test_what_stalls_in_the_middle_is_told_and_the_rest_is_asked_of_the_provider() -> None:
    async def go() -> None:
        room = Room(desk=Desk(stalls_after=7))
        with pytest.raises(EngineError, match="stalled"):
            await room.answer()
        text, first_s = await room.answer([*TALK, Message("assistant", "We open at eight,")])
        assert (text, first_s) == ("Helped, gladly.", 0.15)
        assert room.helpers[0].asked[-1][-1] == Message("assistant", "We open at eight,")
        assert "stalled" in (room.engines.ledger.settle().why or "")

    run(go())


def test_without_anybody_to_help_a_stall_is_waited_out() -> None:
    async def go() -> None:
        room = Room(desk=Desk(gap_s=5.0), allow="none")
        assert (await room.answer())[0] == ANSWER

    run(go())


def test_a_worker_that_dies_is_followed_by_the_provider() -> None:
    async def go() -> None:
        room = Room(desk=Desk(dies_after=5), llm="error")
        with pytest.raises(EngineDown):
            await room.answer()
        assert (await room.answer([*TALK, Message("assistant", "We open at")]))[0] == "Helped, gladly."
        room.desk.works = False
        assert (await room.answer())[0] == "Helped, gladly.", "it is down: nobody waits for it"

    run(go())


def test_sound_goes_only_where_sound_may_and_a_clause_is_spoken_by_one_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", at_once)  # virtual time would not wait for a thread

    async def go() -> None:
        room = Room(stt="hedge", tts="hedge", desk=Desk(first_s=1.0))
        assert (await room.engines.stt.transcribe(SPEECH)).text == "there"
        (sound,) = [s async for s in room.engines.tts.synthesise("In the yard.")]
        assert abs(len(sound.pcm) / RATE - 1.0) < 0.01
        assert [word for word, _ in sound.words] == ["In", "the", "yard."]
        assert sound.words[-1][1] == len(sound.pcm)
        settled = room.engines.ledger.settle()
        assert settled.egress == (
            Egress(stage="stt", provider="helper", kind="audio", bytes=32_000),
            Egress(stage="tts", provider="helper", kind="text", bytes=12),
        )
        quiet = Room(stt="hedge", tts="hedge", allow="text", desk=Desk(first_s=1.0))
        assert (await quiet.engines.stt.transcribe(SPEECH)).text == "here"
        assert await quiet.engines.stt.transcribe(SPEECH, partial=True)
        assert quiet.helpers[0].asked == []

    run(go())


@pytest.mark.parametrize(
    "config", [{"allow": "none"}, {"allow_by": {"webrtc": "none"}}, {"stt": "local", "llm": "local", "tts": "local"}]
)
def test_where_nothing_may_leave_nothing_is_asked(config: dict[str, Any]) -> None:
    async def go() -> None:
        policies = {stage: "hedge" for stage in ("stt", "llm", "tts")}
        room = Room(desk=Desk(first_s=3.0), **{**policies, **config})
        await room.answer()
        await room.engines.stt.transcribe(SPEECH)
        assert [s async for s in room.engines.tts.synthesise("Yes.")]
        room.desk.works = False
        await room.answer()
        assert not room.helpers[0].asked
        assert room.engines.ledger.settle().egress == ()

    run(go())


def test_a_black_hole_delays_nobody_and_is_given_up_after_two_turns() -> None:
    async def go() -> None:
        hole = helper(first_s=NEVER)
        room = Room(hole, desk=Desk(first_s=1.5), llm="hedge")
        for _ in range(10):
            text, first_s = await room.answer()
            assert text == ANSWER
            assert first_s <= 1.56, "as soon as it is useful"
        assert len(hole.asked) <= 3
        assert [(e.provider, e.usable) for e in room.told] == [("helper", False)]

    run(go())


def test_a_black_hole_beside_a_quick_device_is_noticed_too() -> None:
    async def go() -> None:
        hole = helper(first_s=NEVER)
        room = Room(hole, llm="hedge")
        for _ in range(10):
            assert (await room.answer())[0] == ANSWER
            await asyncio.sleep(5.0)
        assert len(hole.asked) <= 4
        assert [e.usable for e in room.told][:1] == [False]
        await room.routes.close()

    run(go())


def test_who_cannot_be_reached_is_given_up_at_once_and_comes_back() -> None:
    async def go() -> None:
        gone = helper(error=ProviderError("no route", unreachable=True))
        room = Room(gone, desk=Desk(first_s=0.3), llm="cloud")
        assert (await room.answer())[0] == ANSWER
        for _ in range(5):
            assert await room.answer() == (ANSWER, 0.3)
        assert len(gone.asked) == 1
        gone.error = None
        await asyncio.sleep(6.0)
        assert (await room.answer())[0] == "Helped, gladly."
        assert [e.usable for e in room.told] == [False, True]

    run(go())


def test_the_second_provider_is_asked_where_the_first_fails() -> None:
    async def go() -> None:
        first, second = helper("first", error=ProviderError("busy")), helper("second")
        room = Room(first, second, desk=Desk(first_s=5.0), llm="hedge")
        assert (await room.answer())[0] == "Helped, gladly."
        assert room.engines.ledger.settle().route.llm == "second"

    run(go())


def test_where_both_are_gone_the_error_is_an_engines() -> None:
    async def go() -> None:
        room = Room(helper(error=ProviderError("busy")), desk=Desk(dies_after=0), llm="hedge")
        with pytest.raises(EngineError):
            await room.answer()

    run(go())


def test_a_whole_turn_is_answered_by_speech() -> None:
    async def go() -> None:
        room = Room(turn="cloud")
        whole = room.engines.whole
        assert whole is not None
        assert whole.first
        sounds = [sound async for sound in whole.respond(SPEECH, TALK)]
        assert abs(sum(len(sound.pcm) for sound in sounds) / RATE - 0.5) < 0.01
        assert [word for sound in sounds for word, _ in sound.words] == ["Speech", "for", "speech."]
        settled = room.engines.ledger.settle()
        assert settled.route == Route(llm="helper", tts="helper")
        assert [(e.stage, e.kind) for e in settled.egress] == [("turn", "audio")]
        assert Room(turn="cloud", allow="text").engines.whole is not None
        with pytest.raises(ProviderError, match="nobody"):
            await anext(Room(turn="cloud", allow="text").engines.whole.respond(SPEECH, TALK))  # type: ignore[union-attr]
        assert Room().engines.whole is None, "the owner does not want that"

    run(go())


def test_a_whole_turn_that_is_late_has_failed() -> None:
    async def go() -> None:
        whole = Room(helper(first_s=NEVER), turn="cloud").engines.whole
        assert whole is not None
        with pytest.raises(ProviderError, match="too late"):
            await anext(whole.respond(SPEECH, TALK))

    run(go())


def test_what_it_may_cost_is_a_limit() -> None:
    async def go() -> None:
        room = Room(desk=Desk(first_s=5.0), llm="hedge", spend_hour=0.25)
        for _ in range(3):
            assert (await room.answer())[0] == "Helped, gladly."
        assert (await room.answer())[0] == ANSWER, "the hour's money is spent"
        assert room.purse.spent_in("1970") == pytest.approx(0.3)

    run(go())


def test_names_and_numbers_stay_where_the_owner_wants_that() -> None:
    async def go() -> None:
        room = Room(llm="cloud", redact=True)
        await room.answer()
        told = " ".join(m.text for m in room.helpers[0].asked[0])
        assert "Anna" not in told
        assert "0779" not in told
        assert "[name 1]" in told

    run(go())


@pytest.mark.parametrize(
    ("said", "pieces", "rest"),
    [
        ("", ["We ", "open."], "We open."),
        ("We open at", [" eight."], " eight."),
        ("We open at", ["We ", "open at", " eight."], " eight."),
        ("We open at", ["We ", "close at six."], "We close at six."),
        ("We open", ["We"], "We"),
        ("We open", ["We open"], ""),
    ],
)
def test_what_was_said_is_said_once(said: str, pieces: list[str], rest: str) -> None:
    async def from_provider() -> AsyncGenerator[str, None]:
        for piece in pieces:
            yield piece

    async def go() -> None:
        assert "".join([piece async for piece in going_on(said, from_provider())]) == rest

    run(go())
