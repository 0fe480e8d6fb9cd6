"""One call: hears the line, takes turns, answers, and tells what happened.

The frames of the line drive everything; replies and phrases are tasks beside them. At most one of them talks at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from appliance.engines.contracts import Engines
from appliance.terms.clock import Clock
from appliance.terms.errors import EngineError
from appliance.terms.events import (
    CallEnded,
    CallStarted,
    Caption,
    Event,
    FillerSpoken,
    ReplyHeard,
    Route,
    State,
    StateChanged,
    TurnEnded,
)
from appliance.terms.frame import Frame
from appliance.terms.line import COMING_BACK, Line
from appliance.terms.units import Pcm

from .agent import Agent, Memory
from .capture import Capture
from .pace import Pace
from .phrases import Phrase, Phrases
from .playout import Playout
from .reply import Reply, Speech
from .timeline import Timeline
from .turns import Floor, PauseBegan, SpeechBegan, SpeechResumed, TurnEvent, TurnOver, TurnTaking, finished
from .vad import Silero, VoiceDetector

log = logging.getLogger(__name__)

FILLER_AFTER_S = 2.0
REPLY_WITHIN_S = 9.0
"""Nothing to say by then: an apology instead."""
MAX_TURN_S = 60.0
SENTENCE_ENDS = (".", "!", "?", "…")
DUCK_NEEDS = 6
DUCK_WINDOW = 8
"""webrtcvad hints in 6 of 8 frames lower the agent's voice until silero has decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all calls share."""

    engines: Engines
    silero: Silero
    phrases: Phrases
    instructions: str
    clock: Clock
    pace: Pace
    max_pause_s: float


class Conversation:
    """Runs until the line ends. Every event goes to `emit` and to the line itself.

    With the `memory` of a call that was lost, it goes on where that one was.
    """

    def __init__(self, line: Line, desk: Desk, emit: Callable[[Event], None], memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self._resumed = memory is not None
        self._line = line
        self._desk = desk
        self._clock = desk.clock
        self._emit_to = emit
        self._agent = Agent(desk.engines.llm, line.call, desk.instructions, self.memory)
        self._vad = VoiceDetector(desk.silero)
        self._turns = TurnTaking(max_pause_s=desk.max_pause_s, max_turn_s=MAX_TURN_S)
        self._capture = Capture(MAX_TURN_S)
        self._playout = Playout(line, desk.clock)
        self._hints: deque[bool] = deque(maxlen=DUCK_WINDOW)
        self._state = State.WAITING
        self._turn = self.memory.turns + 1
        self._leaving = False
        self.heard_at = desk.clock.now()
        """When the line's last frame came."""
        self._speculations = 0
        self._wasted_tokens = 0
        self._reply: Reply | None = None
        self._talking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Nobody speaks and nothing is being prepared."""
        return self._turns.floor is Floor.QUIET and self._reply is None and self._talking is None

    async def run(self, *, greet: bool = True) -> None:
        """The whole call."""
        began = self._clock.now()
        self._emit(CallStarted(call=self._line.call, door=self._line.door, resumed=self._resumed))
        self._spawn(self._prepare())  # while the greeting is heard
        hello = self._desk.phrases.back if self._resumed else self._desk.phrases.greeting
        try:
            if greet and hello is not None:
                self._talk(self._say(hello, turn=0))
            async for frame in self._line.frames():
                self._hear(frame)
        finally:
            await self._close()
            self._emit(
                CallEnded(
                    call=self._line.call,
                    door=self._line.door,
                    reason=self._line.ended or "stopped",
                    duration_s=round(self._clock.now() - began, 3),
                    turns=self.memory.turns,
                )
            )

    def ask(self, words: str) -> None:
        """A turn that was typed instead of spoken."""
        now = self._clock.now()
        self._begin_reply(words, since=now)
        self._over(TurnOver(at=now, since=now))

    async def leave(self) -> None:
        """The device stops: finish the sentence, say goodbye, hang up."""
        self._leaving = True
        if self._talking is not None and self._playout.audible:
            await asyncio.wait({self._talking})
        self._talk(self._say(self._desk.phrases.farewell, turn=0))
        if self._talking is not None:
            await asyncio.wait({self._talking})
        self._line.hang_up("stopped")

    # --- hearing

    def _hear(self, frame: Frame) -> None:
        self.heard_at = frame.at
        if self._leaving:
            return
        self._capture.feed(frame)
        voicing = self._vad.feed(frame.pcm)
        self._hints.append(voicing.hint)
        self._playout.ducked = sum(self._hints) >= DUCK_NEEDS
        for event in self._turns.hear(voicing.chunks, frame.at, agent_audible=self._playout.audible):
            self._take_turn(event)

    def _take_turn(self, event: TurnEvent) -> None:
        match event:
            case SpeechBegan():
                self._speech_began()
            case PauseBegan():
                pcm = self._capture.pcm()
                self._begin_reply(pcm, since=event.since)
                self._spawn(self._ask_sense(pcm))
            case SpeechResumed():
                self._drop_reply()
            case TurnOver():
                self._over(event)

    def _speech_began(self) -> None:
        if self._reply is not None and self._reply.timeline.handed is not None:
            self._interrupt(self._reply)
        else:  # nothing was heard of a reply yet: the same turn goes on
            self._stop_talking()
            self._drop_reply()
        self._capture.begin()
        self._show(State.LISTENING)

    def _interrupt(self, reply: Reply) -> None:
        heard = self._playout.stop()
        self._stop_talking()
        self._emit(ReplyHeard(call=self._line.call, turn=self._turn, text=heard))
        self._end_turn(reply, heard, interrupted=True)

    async def _ask_sense(self, pcm: Pcm) -> None:
        reply = self._reply
        with suppress(EngineError):  # while it is down, pauses and words decide alone
            probability = await self._desk.engines.sense.end_probability(pcm)
            if reply is self._reply:
                self._turns.judge(sound=probability)

    # --- answering

    def _begin_reply(self, heard: Pcm | str, *, since: float) -> None:
        pace = self._desk.pace
        reply = Reply(
            self._desk.engines, self._agent, self._clock, Timeline(spoke_until=since), max_tokens=pace.max_tokens
        )
        self._reply = reply
        self._speculations += pace.speculates

        def transcribed(words: str) -> None:
            if reply is self._reply:
                self._turns.judge(words=finished(words))
                self._caption_caller(words, stable=reply.committed)

        reply.start(heard, ahead=pace.speculates, on_transcript=transcribed)

    def _drop_reply(self) -> None:
        if self._reply is not None:
            self._reply.drop()
            self._wasted_tokens += self._reply.tokens
            self._reply = None

    def _over(self, event: TurnOver) -> None:
        if self._reply is None:  # the turn grew too long without a pause
            self._begin_reply(self._capture.pcm(), since=event.since)
        assert self._reply is not None
        self._reply.timeline.decided = event.at
        self._reply.commit()
        if self._reply.transcript:
            self._caption_caller(self._reply.transcript, stable=True)
        self._show(State.THINKING)
        self._talk(self._answer(self._reply))

    async def _answer(self, reply: Reply) -> None:
        """Speak a committed reply; a filler when it is late, an apology when it fails."""
        pieces = aiter(reply.speech())
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                first = await self._first_piece(reply, asyncio.ensure_future(_next(pieces)))
            if first is None:
                self._nothing_said(reply)
                return
            self._playout.begin(self._desk.engines.tts.rate, lambda at: self._voiced(reply, at))
            piece: Speech | None = first
            said = ""
            while piece is not None and not (self._leaving and piece.text and said.endswith(SENTENCE_ENDS)):
                await self._speak(piece)
                said = piece.text or said
                piece = await _next(pieces)
            await self._playout.drain()
        except (EngineError, TimeoutError) as error:
            log.warning("call %s: no reply: %s", self._line.call, str(error) or "it took too long")
            reply.drop()
            await self._say(self._desk.phrases.apology, turn=self._turn, apology=True)
        self._end_turn(reply, self._playout.heard() if reply.timeline.handed else "", interrupted=False)
        self._show(State.WAITING)

    async def _first_piece(self, reply: Reply, first: asyncio.Future[Speech | None]) -> Speech | None:
        """The reply's first sound, or None where there is nothing to say; if it is late, a filler meanwhile."""
        try:
            await asyncio.wait({first}, timeout=FILLER_AFTER_S)
            if not first.done():
                reply.timeline.filler = self._clock.now()
                await self._say(self._desk.phrases.filler, turn=self._turn)
                self._show(State.THINKING)
            return await first
        finally:
            first.cancel()

    async def _speak(self, piece: Speech) -> None:
        if piece.text:
            duration_ms = round(len(piece.sound.pcm) / self._desk.engines.tts.rate * 1000)
            self._emit(
                Caption(
                    call=self._line.call, turn=self._turn, who="agent", text=piece.text, duration_ms=float(duration_ms)
                )
            )
        await self._playout.play(piece.sound)

    def _voiced(self, reply: Reply, at: float) -> None:
        """The reply is heard from now on: what the caller says next is another turn."""
        reply.timeline.handed = at
        self._capture.end()
        self._show(State.SPEAKING)

    def _nothing_said(self, reply: Reply) -> None:
        """It was no speech after all."""
        self._caption_caller("", stable=True)
        self._capture.end()
        self._reply = None
        self._speculations = 0
        self._show(State.WAITING)

    async def _say(self, phrase: Phrase, *, turn: int, apology: bool = False) -> None:
        """A phrase that is no reply: greeting, filler, apology."""
        if turn:
            self._emit(FillerSpoken(call=self._line.call, turn=turn, text=phrase.text, apology=apology))
        self._playout.begin(phrase.rate)
        self._show(State.TROUBLE if apology else State.SPEAKING)
        self._emit(
            Caption(call=self._line.call, turn=turn, who="agent", text=phrase.text, duration_ms=phrase.duration_ms)
        )
        for sound in phrase.sounds:
            await self._playout.play(sound)
        await self._playout.drain()
        if not turn:
            self._show(State.WAITING)

    def _end_turn(self, reply: Reply, heard: str, *, interrupted: bool) -> None:
        """Make the turn history, and tell it."""
        self._reply = None
        reply.drop()
        self._capture.end()
        timeline = reply.timeline
        words = reply.transcript or ""
        if words:
            self._agent.settle(words, heard)
            self._spawn(self._prepare())
        self._desk.pace.turn(stt_s=timeline.took("stt"), tok_s=reply.tok_s)
        self._emit(
            TurnEnded(
                call=self._line.call,
                door=self._line.door,
                turn=self._turn,
                ts=self._clock.utc().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                transcript=words,
                reply=heard,
                interrupted=interrupted,
                **timeline.parts(),
                filler_ms=timeline.since(timeline.filler) if timeline.filler is not None else None,
                stages=timeline.stages(),
                speculated="committed" if timeline.was_speculated() else "none",
                speculations=self._speculations,
                hidden_ms=timeline.hidden_ms(),
                wasted_tokens=self._wasted_tokens,
                stt_audio_s=round(reply.audio_s, 3),
                llm_tokens=reply.tokens,
                llm_tok_s=reply.tok_s,
                route=Route(),
                why=None,
                network=self._line.network,
            )
        )
        self.memory.turns = self._turn
        self._turn += 1
        self._speculations = self._wasted_tokens = 0

    async def _prepare(self) -> None:
        with suppress(EngineError):  # the next turn reads the history anyway, only later
            await self._agent.prepare()

    # --- tasks and events

    def _talk(self, speech: Coroutine[Any, Any, None]) -> None:
        self._stop_talking()
        self._talking = self._spawn(speech)

    def _stop_talking(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None
            self._playout.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task is self._talking:
            self._talking = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call %s: a bug of ours", self._line.call, exc_info=error)
            self._show(State.TROUBLE)

    async def _close(self) -> None:
        if self._reply is not None and self._reply.committed:
            self._end_turn(self._reply, self._playout.stop(), interrupted=True)
        self._drop_reply()
        self._stop_talking()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._line.ended not in COMING_BACK:
            with suppress(EngineError):
                await self._agent.forget()

    def _show(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._emit(StateChanged(call=self._line.call, state=state))

    def _caption_caller(self, words: str, *, stable: bool) -> None:
        self._emit(Caption(call=self._line.call, turn=self._turn, who="caller", text=words, stable=stable))

    def _emit(self, event: Event) -> None:
        self._line.tell(event)
        self._emit_to(event)


async def _next(pieces: Any) -> Speech | None:
    """The next piece of a reply, or None at its end."""
    return await anext(pieces, None)
