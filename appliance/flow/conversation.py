"""One call: hears the line, takes turns, answers, and tells what happened.

The frames of the line drive everything; replies and phrases are tasks beside them. At most one of them talks at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from appliance.engines.contracts import Sound
from appliance.terms.errors import EngineError
from appliance.terms.events import CallEnded, CallStarted, Event, FillerSpoken, Overlap, ReplyHeard, State
from appliance.terms.frame import Frame, silence
from appliance.terms.line import COMING_BACK, Line
from appliance.terms.units import Pcm, ms

from .account import Account
from .acting import Acting
from .agent import Memory, at_desk
from .attentive import attending
from .capture import Capture
from .desk import Desk
from .overlaps import Overlaps
from .partials import Partials
from .phrases import Phrase
from .playout import Playout
from .reply import Reply, Speech
from .silence import Silence, Step
from .tasks import Tasks, if_it_can
from .telling import Telling
from .timeline import Timeline
from .turns import (
    SPEECH,
    Floor,
    OverlapEnded,
    PauseBegan,
    ReplyHeld,
    ReplyResumed,
    SpeechBegan,
    SpeechResumed,
    TurnEvent,
    TurnOver,
    TurnTaking,
)
from .vad import VoiceDetector
from .wording import WORTH_PREPARING, Words, asks_to_wait, judged, same

log = logging.getLogger(__name__)

FILLER_AFTER_S = 2.0
COVER_AFTER_S = 1.0
"""So long a reply may be silent in its middle."""
REPLY_WITHIN_S = 9.0
"""Nothing to say by then: an apology instead."""
MAX_TURN_S = 60.0
CUT_IN_S = 0.6
"""A caller who speaks so soon after a reply began was not done."""
SENSE_AFTER_S = 0.25
"""The language model that says nothing for so long lets the sound tell whether the caller has finished."""
POLL_S = 0.02
SENTENCE_ENDS = (".", "!", "?", "…")
Emit = Callable[[Event], None]


class Conversation:
    """Runs until the line ends. Every event goes to `emit` and to the line itself. While it is `muted` the agent does
    not hear the caller.

    With the `memory` of a call that was lost, it goes on where that one was; `opening` is said instead of the greeting.
    """

    def __init__(
        self, line: Line, desk: Desk, emit: Emit, memory: Memory | None = None, opening: Phrase | None = None
    ) -> None:
        self.memory = memory or Memory()
        self.muted = False
        self._hello = desk.phrases.back if memory else opening or desk.phrases.greeting
        self._resumed = memory is not None
        self.line = line
        self._desk = desk = attending(desk)
        self._clock = desk.clock
        self._telling = telling = Telling(line, emit)
        self._emit, self._show = telling.tell, telling.show
        self._acting = Acting(line, desk.hands, telling, self.memory, self.say)
        self._agent = at_desk(desk, line, self.memory, self._acting.use)
        self._vad = VoiceDetector(desk.silero)
        self._turns = TurnTaking(desk.patience, max_pause_s=desk.max_pause_s, max_turn_s=MAX_TURN_S)
        self._capture = Capture(MAX_TURN_S)
        self._playout = Playout(line, desk.clock)
        self._partials = Partials(desk.engines.stt, desk.clock, self._partly_heard)
        self._silence = Silence(desk.silence_s, desk.clock.now())
        self._turn = self.memory.turns + 1
        self._leaving = False
        self.heard_at = desk.clock.now()
        """When the line's last frame came."""
        self._account = Account(line, desk.clock, desk.engines.ledger)
        self._overlaps = Overlaps(desk.engines.stt, self._turns)
        self._reply: Reply | None = None
        self._aside: Reply | None = None
        """A reply to what the caller said before they went on."""
        self._talking: asyncio.Task[None] | None = None
        self._tasks = Tasks(self._failed)
        self._spawn = self._tasks.spawn

    @property
    def _goes_on(self) -> bool:
        return not self._leaving and not self.line.ended

    @property
    def idle(self) -> bool:
        return self._turns.floor is Floor.QUIET and self._reply is None and self._talking is None

    async def run(self, *, greet: bool = True) -> None:
        """The whole call."""
        began = self._clock.now()
        line = self.line
        self._emit(CallStarted(call=line.call, door=line.door, resumed=self._resumed, caller=line.caller))
        self._spawn(if_it_can(self._agent.prepare()))  # while the greeting is heard
        try:
            if greet and self._hello is not None:
                self._talk(self._say(self._hello, turn=0))
            async for frame in line.frames():
                self._hear(frame)
        finally:
            await self._close()
            reason, duration_s = line.ended or "stopped", round(self._clock.now() - began, 3)
            call, turns = line.call, self.memory.turns
            self._emit(CallEnded(call=call, door=line.door, reason=reason, duration_s=duration_s, turns=turns))

    def ask(self, words: str) -> None:
        """A turn that was typed instead of spoken."""
        now = self._clock.now()
        self._begin_reply(words, since=now)
        self._over(TurnOver(at=now, since=now))

    async def say(self, words: str) -> None:
        """Say this at once, whatever the agent was saying; a caller who is speaking is let finish, and answered first.
        Returns as it begins. Raises EngineError."""
        if self._turns.floor is not Floor.QUIET or (self._reply is not None and not self._playout.audible):
            while self._goes_on and (self._turns.floor is not Floor.QUIET or self._reply is not None):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        sounds = aiter(self._desk.engines.tts.synthesise(words))
        first = await anext(sounds, None)
        if first is None or not self._goes_on:
            return
        if self._reply is not None:
            self._interrupt(self._reply, cut_in=False)
        self._agent.add(words)
        self._talk(self._announce(first, sounds))

    async def _announce(self, first: Sound, rest: AsyncIterator[Sound]) -> None:
        rate = self._desk.engines.tts.rate
        self._playout.begin(rate)
        self._show(State.SPEAKING)
        sound: Sound | None = first
        while sound is not None:
            self._telling.agent_says(0, " ".join(word for word, _ in sound.words), len(sound.pcm) / rate * 1000)
            await self._playout.play(sound)
            sound = await anext(rest, None)
        await self._playout.drain()
        self._show(State.WAITING)

    async def leave(self) -> None:
        """The device stops: finish the sentence, say goodbye, hang up."""
        await self._leave(self._desk.phrases.farewell, "stopped")

    async def _leave(self, goodbye: Phrase, reason: str) -> None:
        self._leaving = True
        if self._talking is not None and self._playout.audible:
            await asyncio.wait({self._talking})
        self._talk(self._say(goodbye, turn=0))
        if self._talking is not None:
            await asyncio.wait({self._talking})
        self.line.hang_up(reason)

    # --- hearing

    def _hear(self, frame: Frame) -> None:
        self.heard_at = frame.at
        if self._leaving:
            return
        if self.muted:
            frame = silence(frame.at)
        self._capture.feed(frame)
        voicing = self._vad.feed(frame.pcm)
        over_agent = self._playout.audible
        for event in self._turns.hear(voicing.chunks, frame.at, agent_talking=over_agent, quiet_s=voicing.quiet_s):
            self._take_turn(event)
        floor = self._turns.floor
        self._playout.ducked = floor is Floor.OVER or voicing.hint
        if floor is Floor.VOICED and voicing.chunks and voicing.chunks[-1] >= SPEECH:
            self._listen_ahead()
        self._mind_silence(frame.at)

    def _take_turn(self, event: TurnEvent) -> None:
        match event:
            case SpeechBegan():
                self._speech_began(event)
            case PauseBegan():
                self._partials.end()
                self._begin_reply(self._overlaps.words or self._capture.pcm(), since=event.since)
                self._overlaps.forget()
            case SpeechResumed():
                self._set_aside()
            case TurnOver():
                self._over(event)
            case ReplyHeld():
                self._playout.hold()
                self._account.silent_ms = ms(event.at - event.since)
                self._capture.begin()
                self._show(State.LISTENING)
            case OverlapEnded():
                asked = self._playout.heard().endswith("?")
                self._spawn(self._overlaps.weigh(self._capture.pcm(), asked=asked))
            case ReplyResumed():
                self._went_on()

    def _speech_began(self, event: SpeechBegan) -> None:
        self._overlaps.decide()
        if event.over_agent:
            self._tell_overlap(meant=True)
        if self._turns.floor is Floor.VOICED:  # there is more to come than what was looked at
            self._overlaps.forget()
        reply = self._reply
        if reply is not None and reply.timeline.handed is not None:
            if cut_in := event.since - reply.timeline.handed < CUT_IN_S:
                self._turns.pauses.cut_in()
            self._interrupt(reply, cut_in=cut_in)
        else:  # nothing was heard of a reply yet: the same turn goes on
            self._stop_talking()
            self._drop_reply()
        self._capture.begin()
        self._partials.begin()
        self._show(State.LISTENING)

    def _interrupt(self, reply: Reply, *, cut_in: bool) -> None:
        heard = self._playout.stop()
        self._stop_talking()
        self._emit(ReplyHeard(call=self.line.call, turn=self._turn, text=heard))
        self._end_turn(reply, heard, interrupted=True, cut_in=cut_in)

    async def _ask_sense(self, reply: Reply, pcm: Pcm, *, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        if after_s and reply.tokens:
            return  # the language model has been quick enough to tell
        with suppress(EngineError):  # while it is down, pauses and words decide alone
            probability = await self._desk.engines.sense.end_probability(pcm)
            if reply is self._reply:
                self._turns.judge(sound=probability)

    def _went_on(self) -> None:
        """It was a murmur, a cough, a noise."""
        self._account.murmurs += 1
        self._tell_overlap(meant=False)
        self._overlaps.forget()
        self._capture.end()
        self._playout.go_on()
        self._show(State.SPEAKING)

    def _tell_overlap(self, *, meant: bool) -> None:
        words, silent_ms = self._overlaps.words, self._account.silent_ms
        self._emit(Overlap(call=self.line.call, turn=self._turn, meant=meant, text=words, silent_ms=silent_ms))

    def _listen_ahead(self) -> None:
        if self._desk.pace.listens_ahead and self._partials.due:
            self._spawn(self._partials.ask(self._capture.pcm()))

    def _partly_heard(self, words: str, settled: str) -> None:
        self._telling.caller_says(self._turn, words, stable=False, settled=len(settled.split()))
        known = words.split()[:-1]  # the last one may be cut short; should another be wrong, little is lost
        if known and self._aside is None:  # whose unwritten rest the language model would forget
            self._spawn(if_it_can(self._agent.hear(" ".join(known))))

    def _mind_silence(self, now: float) -> None:
        if self.line.held or self.muted or not self.idle:
            self._silence.broken(now, by_caller=self._turns.floor is not Floor.QUIET)
        elif (step := self._silence.kept(now)) is Step.ASK:
            self._talk(self._say(self._desk.phrases.still_there, turn=0))
        elif step is Step.LEAVE:
            self._spawn(self._leave(self._desk.phrases.goodbye, "silence"))
        elif step is Step.PART:
            self.line.hang_up("goodbye")

    # --- answering

    def _begin_reply(self, heard: Pcm | str, *, since: float) -> None:
        pace = self._desk.pace
        timeline = Timeline(spoke_until=since)
        reply = Reply(self._desk.engines, self._agent, self._clock, timeline, pace)
        self._reply = reply
        self._account.speculations += pace.speculates
        reply.start(heard, self, ahead=pace.speculates)

    def transcribed(self, reply: Reply, words: str) -> bool:
        """A reply's Listener. Where a reply that was set aside answers the same words, it is taken up again."""
        if reply is not self._reply:
            return False
        self._telling.caller_says(self._turn, words, stable=reply.committed)
        aside, self._aside = self._aside, None
        if aside is not None and words and same(words, aside.transcript or ""):
            aside.timeline.spoke_until = reply.timeline.spoke_until
            aside.timeline.decided = reply.timeline.decided
            self._reply = aside
            if reply.committed:
                aside.commit()
                self._desk.pace.writes()
                self._talk(self._answer(aside))
            self._turns.judge(words=judged(words, aside.ends))
            return False
        self._drop(aside)
        self._turns.judge(words=judged(words))  # until the language model has read them
        self._spawn(self._ask_sense(reply, self._capture.pcm(), after_s=SENSE_AFTER_S))
        return True

    def weighed(self, reply: Reply, words: str, ends: float | None) -> bool:
        """The sound is a witness only where the words leave a doubt: it takes the processor from the answer."""
        reply.ends = ends
        verdict = judged(words, ends)
        if reply is self._reply and not reply.committed:
            self._turns.judge(words=verdict)
            if verdict is not Words.ASKED:
                self._spawn(self._ask_sense(reply, self._capture.pcm()))
        return verdict in WORTH_PREPARING

    def written(self, reply: Reply) -> None:
        if reply.committed:
            self._desk.pace.written()

    def _set_aside(self) -> None:
        """The caller goes on; a reply whose first clause is ready may still fit, should it have been a noise."""
        reply, self._reply = self._reply, None
        self._partials.begin()
        if reply is not None and reply.timeline.pcm is not None:
            self._drop(self._aside)
            self._aside = reply
        else:
            self._drop(reply)

    def _drop_reply(self) -> None:
        self._drop(self._reply)
        self._drop(self._aside)
        self._reply = self._aside = None

    def _drop(self, reply: Reply | None) -> None:
        if reply is not None:
            reply.drop()
            self._account.wasted_tokens += reply.tokens

    def _over(self, event: TurnOver) -> None:
        if self._reply is None:  # the turn grew too long without a pause
            self._begin_reply(self._capture.pcm(), since=event.since)
        assert self._reply is not None
        self._reply.timeline.decided = event.at
        self._reply.commit()
        self._desk.pace.writes()
        if self._reply.transcript:
            self._telling.caller_says(self._turn, self._reply.transcript, stable=True)
        self._show(State.THINKING)
        self._talk(self._answer(self._reply))

    async def _answer(self, reply: Reply) -> None:
        """Speak a committed reply; a filler when it is late, an apology when it fails."""
        pieces = aiter(reply.speech())
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                first = await self._piece(reply, pieces, FILLER_AFTER_S)
            if first is None:
                self._nothing_said(reply)
                return
            self._playout.begin(self._desk.engines.tts.rate, lambda at: self._voiced(reply, at))
            piece: Speech | None = first
            said = ""
            while piece is not None and not (self._leaving and piece.text and said.endswith(SENTENCE_ENDS)):
                await self._speak(piece)
                said = piece.text or said
                piece = await self._piece(reply, pieces, COVER_AFTER_S)
            await self._playout.drain()
        except (EngineError, TimeoutError) as error:
            log.warning("call %s: no reply: %s", self.line.call, str(error) or "it took too long")
            reply.drop()
            await self._say(self._desk.phrases.apology, turn=self._turn, apology=True)
        self._end_turn(reply, self._playout.heard() if reply.timeline.handed else "", interrupted=False)
        self._show(State.WAITING)

    async def _piece(self, reply: Reply, pieces: AsyncIterator[Speech], within_s: float) -> Speech | None:
        """The reply's next sound, or None at its end; if it is late, a filler meanwhile."""
        piece = asyncio.ensure_future(anext(pieces, None))
        try:
            await asyncio.wait({piece}, timeout=within_s)
            if not piece.done():
                await self._cover(reply)
            return await piece
        finally:
            piece.cancel()

    async def _cover(self, reply: Reply) -> None:
        """Let nobody wonder about a silence: the reply is late, or, in its middle, an engine died."""
        filler = self._desk.phrases.filler
        if reply.timeline.handed is None:
            reply.timeline.filler = self._clock.now()
            await self._say(filler, turn=self._turn)
            return self._show(State.THINKING)
        self._emit(FillerSpoken(call=self.line.call, turn=self._turn, text=filler.text, apology=False))
        for sound in filler.sounds:
            await self._playout.play(Sound(pcm=sound.pcm, words=()))  # none of the reply's words

    async def _speak(self, piece: Speech) -> None:
        if piece.text:
            duration_ms = round(len(piece.sound.pcm) / self._desk.engines.tts.rate * 1000)
            self._telling.agent_says(self._turn, piece.text, float(duration_ms))
        await self._playout.play(piece.sound)

    def _voiced(self, reply: Reply, at: float) -> None:
        """The reply is heard from now on: what the caller says next is another turn."""
        reply.timeline.handed = at
        self._capture.end()
        self._show(State.SPEAKING)

    def _nothing_said(self, reply: Reply) -> None:
        """It was no speech after all."""
        self._telling.caller_says(self._turn, "", stable=True)
        self._capture.end()
        self._reply = None
        self._account.clear()
        self._show(State.WAITING)

    async def _say(self, phrase: Phrase, *, turn: int, apology: bool = False) -> None:
        """A phrase that is no reply: greeting, filler, apology."""
        if turn:
            self._emit(FillerSpoken(call=self.line.call, turn=turn, text=phrase.text, apology=apology))
        self._playout.begin(phrase.rate)
        self._show(State.TROUBLE if apology else State.SPEAKING)
        self._telling.agent_says(turn, phrase.text, phrase.duration_ms)
        for sound in phrase.sounds:
            await self._playout.play(sound)
        await self._playout.drain()
        if not turn:
            self._show(State.WAITING)

    def _end_turn(self, reply: Reply, heard: str, *, interrupted: bool, cut_in: bool = False) -> None:
        """Make the turn history, and tell it."""
        self._reply = None
        reply.drop()
        self._drop(self._aside)
        self._aside = None
        if not interrupted:
            self._capture.end()
        words = reply.transcript or ""
        if words:
            self._acting.settle(heard)
            if (act := self._agent.settle(words, heard)) is not None:
                self._spawn(self._acting.do(act, interrupted=interrupted))
            if asks_to_wait(words):
                self._silence.be_patient()
            if self._agent.parts(words) and not interrupted:
                self._silence.part()
            self._spawn(if_it_can(self._agent.prepare()))
        self._desk.pace.turn(stt_s=reply.timeline.took("stt"), tok_s=reply.tok_s)
        self._emit(self._account.turn(self._turn, reply, heard, interrupted=interrupted, cut_in=cut_in))
        self.memory.turns = self._turn
        self._turn += 1

    # --- tasks and events

    def _talk(self, speech: Coroutine[Any, Any, None]) -> None:
        self._stop_talking()
        self._talking = self._spawn(speech)
        self._talking.add_done_callback(self._talked)

    def _stop_talking(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None
            self._playout.stop()

    def _talked(self, task: asyncio.Task[None]) -> None:
        if task is self._talking:
            self._talking = None

    def _failed(self, error: BaseException) -> None:
        log.error("call %s: a bug of ours", self.line.call, exc_info=error)
        self._show(State.TROUBLE)

    async def _close(self) -> None:
        replies = [reply for reply in (self._reply, self._aside) if reply is not None]
        if self._reply is not None and self._reply.committed:
            self._end_turn(self._reply, self._playout.stop(), interrupted=True)
        self._stop_talking()
        for reply in replies:
            await reply.dropped()
        await self._tasks.close()
        if self.line.ended not in COMING_BACK:
            await if_it_can(self._agent.forget())
