"""Calls in virtual time over engines that do what a script says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from appliance.bench.warp import LoopClock, warped
from appliance.doors.file import FileLine
from appliance.engines.contracts import Engines, Message, Sound, Token, Transcript, WholeTurn
from appliance.flow.agent import Memory
from appliance.flow.conversation import Conversation
from appliance.flow.desk import Desk
from appliance.flow.pace import Pace
from appliance.flow.phrases import render_all
from appliance.flow.vad import Silero
from appliance.knowledge.answer import Answer, Context
from appliance.knowledge.filling import Use
from appliance.knowledge.lexicon import Lexicon
from appliance.knowledge.people import Person
from appliance.terms.errors import EngineDown
from appliance.terms.events import (
    CallEnded,
    CallStarted,
    Event,
    TurnEnded,
)
from appliance.terms.units import CAPTURE_RATE, Pcm

RATE = 22_050
REPLY = "We are open from eight to six. On Saturday we close at one. On Sunday we are closed all day long."
S_PER_WORD = 0.3


async def nothing_to_render() -> None:
    pass


@dataclass
class Script:
    """What the engines do, and what they were asked. Delays in seconds."""

    reply: str = REPLY
    stt_s: float = 0.1
    llm_s: float = 0.1
    tts_s: float = 0.05
    sound: float = 0.9
    ends: float = 0.5
    words: str | None = None
    """The transcript; None: so many words as there were seconds of sound."""
    overlap_words: str = ""
    """What is heard in less than 1.2 s of sound while the agent speaks."""
    overlap_fails: bool = False
    stt_fails: bool = False
    dies_after: int | None = None
    """The language model dies once, after so many words of a reply, and is gone for `gone_s`; then it goes on."""
    gone_s: float = 0.0
    whole: WholeTurn | None = None
    """Who answers speech with speech."""
    known: dict[str, Answer] = field(default_factory=dict)
    """Answers that need no language model."""
    weighs: bool = True
    tool_s: float = 0.1
    """How long a tool takes."""
    used: list[Use] = field(default_factory=list)
    connected: list[Person] = field(default_factory=list)
    partials: int = 0
    listened: list[list[Message]] = field(default_factory=list)
    heard_s: list[float] = field(default_factory=list)
    asked: list[list[Message]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    async def find(self, words: str, context: Context) -> Answer | None:
        return self.known.get(words)

    async def use(self, use: Use, about: Mapping[str, str]) -> str:
        self.used.append(use)
        await asyncio.sleep(self.tool_s)
        return f"{use.tool} is done."

    async def connect(self, call: str, person: Person) -> None:
        self.connected.append(person)
        if not person.phone:
            raise EngineDown("nobody answers")


class ScriptedEngines:
    """All four contracts over one script."""

    rate = RATE

    def __init__(self, script: Script) -> None:
        self.script = script

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        await asyncio.sleep(self.script.stt_s)
        if self.script.stt_fails:
            raise EngineDown("stt died")
        seconds = len(pcm) / CAPTURE_RATE
        self.script.partials += partial
        if self.script.asked and seconds < 1.2 and self.script.overlap_fails:
            raise EngineDown("stt died")
        if self.script.asked and seconds < 1.2 and self.script.overlap_words:
            return Transcript(text=self.script.overlap_words, audio_s=seconds)
        self.script.heard_s.append(seconds)
        words = self.script.words
        return Transcript(text=f"Do I speak for {seconds:.1f} seconds?" if words is None else words, audio_s=seconds)

    async def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        self.script.asked.append(list(messages))
        said = messages[-1].text if messages[-1].role == "assistant" else ""
        await asyncio.sleep(self.script.llm_s + (self.script.gone_s if said else 0.0))
        for i, word in enumerate(self.script.reply.removeprefix(said).split()):
            await asyncio.sleep(0.016)
            if i == self.script.dies_after:
                self.script.dies_after = None
                raise EngineDown("llm died")
            yield Token(f"{word} ", None if i else self.script.ends)

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None:
        assert messages[0].role == "system"
        if not ended:
            self.script.listened.append(list(messages))

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        await asyncio.sleep(self.script.llm_s)
        if not self.script.weighs:
            raise EngineDown("llm died")
        return self.script.ends

    async def forget(self, call: str) -> None:
        self.script.forgotten.append(call)

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        await asyncio.sleep(self.script.tts_s)
        words = text.split()
        t = np.arange(int(RATE * S_PER_WORD * len(words))) / RATE
        marks = tuple((word, int(RATE * S_PER_WORD * i)) for i, word in enumerate(words, 1))
        yield Sound(pcm=(np.sin(2 * np.pi * 300 * t) * 8000).astype(np.int16), words=marks)

    async def end_probability(self, pcm: Pcm) -> float:
        await asyncio.sleep(0.04)
        return self.script.sound


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * CAPTURE_RATE), np.int16)


async def opened(
    script: Script,
    sound: Pcm,
    events: list[Event],
    memory: Memory | None = None,
    *,
    greeting: str = "",
    speculate: bool = True,
    silence_s: float = 0.0,
) -> tuple[FileLine, Conversation]:
    """A line on which a caller will say this, and the conversation that will be held over it."""
    scripted = ScriptedEngines(script)
    desk = Desk(
        engines=Engines(stt=scripted, llm=scripted, tts=scripted, sense=scripted, whole=script.whole),
        silero=Silero(),
        phrases=await render_all(scripted, greeting),
        notice="",
        instructions="You are a receptionist.",
        find=script.find,
        lexicon=Lexicon(),
        hands=script,
        render=nothing_to_render,
        clock=LoopClock(),
        pace=Pace(speculate=speculate, max_tokens=80),
        patience=1.0,
        max_pause_s=1.1,
        silence_s=silence_s,
    )
    line = FileLine(sound, 24_000, LoopClock())
    return line, Conversation(line, desk, events.append, memory)


def held(
    script: Script,
    *sound: Pcm,
    greet: bool = False,
    speculate: bool = True,
    silence_s: float = 0.0,
    stop_after_s: float = 25.0,
) -> list[Event]:
    """The events of a call in which the caller says this and then is silent until `stop_after_s`."""
    events: list[Event] = []

    async def call() -> None:
        greeting = "Hello there." if greet else ""
        line, conversation = await opened(
            script, np.concatenate(sound), events, greeting=greeting, speculate=speculate, silence_s=silence_s
        )
        asyncio.get_running_loop().call_later(stop_after_s, line.hang_up, "hangup")
        await conversation.run(greet=greet)
        assert len(asyncio.all_tasks()) == 1, "a task outlived its call"

    warped(call())
    assert isinstance(events[0], CallStarted)
    assert isinstance(events[-1], CallEnded)
    assert script.forgotten == ["file"]
    return events


def turns(events: list[Event]) -> list[TurnEnded]:
    return [event for event in events if isinstance(event, TurnEnded)]
