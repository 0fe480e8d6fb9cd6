"""The device's calls: how many there may be, which are being held, and which were lost and may come back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from appliance.control.verbs import no_such_call
from appliance.doors.webrtc import Release
from appliance.engines.contracts import Engines
from appliance.engines.local.precedence import for_visitor
from appliance.flow.agent import Memory
from appliance.flow.conversation import Conversation
from appliance.flow.desk import Desk
from appliance.flow.phrases import render
from appliance.flow.playout import Playout
from appliance.terms.errors import Busy, EngineError, NotReady
from appliance.terms.events import Event
from appliance.terms.line import COME_BACK_WITHIN_S, COMING_BACK, Line

MOST_LOST = 32
"""So many lost calls are remembered; of more, the oldest is forgotten."""
LEAVE_WITHIN_S = 12.0
STILL_S = 25.0
TIDY_AFTER_S = 2.0
"""By then a line is closed."""


class Calls:
    """Closed until `open` hands in the desk; `drain` closes it again and says goodbye to everybody."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        engines: Callable[[str], Engines] | None = None,
        name_of: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        """`engines`: those of a call by a door, where not all calls have the desk's. `name_of`: who calls from an
        address, where callers are remembered."""
        self._name_of = name_of
        self._engines = engines
        self._limit = 0
        self.draining = False
        """Nobody is answered any more."""
        self._emit = emit
        self._desks: Mapping[str, Desk] = {}
        self._why_closed = "The device is still warming up. It answers in a few seconds."
        self._taken = 0
        self._held: dict[str, Conversation] = {}
        self.muted = False
        """Nobody is heard, in no call."""
        self._lost: dict[str, tuple[Memory, asyncio.TimerHandle]] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    @property
    def open_to_callers(self) -> bool:
        return bool(self._desks)

    def open(self, desks: Mapping[str, Desk], limit: int) -> None:
        """From now on calls are answered, at most `limit` at once; those that are held go on as they were. The desk ""
        answers every line that wants none of the others."""
        if not self.draining:
            self._desks = desks
        self._limit = limit

    def admit_visitor(self) -> Release:
        """The kiosk's own place, which no caller takes. Raises NotReady."""
        if not self._desks:
            raise NotReady(self._why_closed)
        return lambda: None

    def admit(self) -> Release:
        """Take one of the device's lines. Raises Busy or NotReady."""
        if not self._desks:
            raise NotReady(self._why_closed)
        if self._taken >= self._limit:
            raise Busy("All lines are taken. Please try again in a moment.")
        self._taken += 1
        return self._release

    async def answer(
        self, line: Line, *, greet: bool = True, adapt: Callable[[Desk], Desk] = lambda desk: desk
    ) -> None:
        """Hold a whole conversation; one that was lost before goes on where it was. `adapt` the desk to the door."""
        assert self._desks, "admit comes before answer"
        desk = self._desks.get(line.desk, self._desks[""])
        if self._engines is not None:
            desk = replace(desk, engines=self._engines(line.door))
        desk = adapt(desk)
        first = f"{line.opening} {desk.notice}".strip() if line.opening else ""
        opening = await render(desk.engines.tts, first) if first else None
        conversation = Conversation(line, desk, self._emit, self._recall(line.call), opening)
        conversation.muted = self.muted
        if self._name_of is not None and not conversation.memory.name:
            conversation.memory.name = await self._name_of(line.caller)
        self._held[line.call] = conversation
        try:
            await conversation.run(greet=greet)
        finally:
            if self._held.get(line.call) is conversation:  # else the caller goes on over another line
                del self._held[line.call]
            # A call leaves 3 MB in reference cycles, which would lie about until 20,000 more objects came.
            asyncio.get_running_loop().call_later(TIDY_AFTER_S, gc.collect)
            if line.ended in COMING_BACK:
                self._remember(line.call, conversation.memory, desk)

    async def answer_visitor(self, line: Line, *, greet: bool, adapt: Callable[[Desk], Desk]) -> None:
        """As `answer`, before all callers."""
        with for_visitor():
            await self.answer(line, greet=greet, adapt=adapt)

    async def speak(self, line: Line, words: str) -> None:
        """Say something to a line that has no conversation. Raises NotReady or EngineError."""
        if not self._desks:
            raise NotReady(self._why_closed)
        tts, playout = self._desks[""].engines.tts, Playout(line, self._desks[""].clock)
        playout.begin(tts.rate)
        async for sound in tts.synthesise(words):
            await playout.play(sound)
        await playout.drain()

    def __contains__(self, call: str) -> bool:
        return call in self._held

    async def say(self, call: str, words: str) -> None:
        """Let the agent say it now. Raises BadInput where there is no such call, EngineError."""
        await self._conversation(call).say(words)

    def mute(self, call: str, *, on: bool) -> None:
        """Let the agent no longer hear the caller, or hear them again. Raises BadInput where there is no such call."""
        self._conversation(call).muted = on

    def mute_all(self, *, on: bool) -> None:
        """Those that are held, and those to come."""
        self.muted = on
        for conversation in self._held.values():
            conversation.muted = on

    def hang_up(self, call: str) -> None:
        """Raises BadInput where there is no such call."""
        self._conversation(call).line.hang_up("stopped")

    def _conversation(self, call: str) -> Conversation:
        if call not in self._held:
            raise no_such_call()
        return self._held[call]

    def standing_still(self, now: float) -> bool:
        """Has a call heard nothing for longer than its door would wait? That would be a bug of ours."""
        return any(now - conversation.heard_at > STILL_S for conversation in self._held.values())

    async def drain(self) -> None:
        """Take no more calls; in those that are held, finish the sentence, say goodbye and hang up."""
        self._desks, self._why_closed, self.draining = {}, "The device is being switched off.", True
        leaving = [asyncio.create_task(conversation.leave()) for conversation in self._held.values()]
        try:
            if leaving:
                await asyncio.wait(leaving, timeout=LEAVE_WITHIN_S)
        finally:
            for task in leaving:
                task.cancel()

    async def close(self) -> None:
        """Forget everything."""
        for _, timer in self._lost.values():
            timer.cancel()
        self._lost.clear()
        await asyncio.gather(*self._forgetting, return_exceptions=True)

    def _release(self) -> None:
        self._taken -= 1

    def _recall(self, call: str) -> Memory | None:
        if call not in self._lost:
            return None
        memory, timer = self._lost.pop(call)
        timer.cancel()
        return memory

    def _remember(self, call: str, memory: Memory, desk: Desk) -> None:
        forget = partial(self._forget, call, desk)
        self._lost[call] = memory, asyncio.get_running_loop().call_later(COME_BACK_WITHIN_S, forget)
        if len(self._lost) > MOST_LOST:
            self._forget(next(iter(self._lost)), desk)

    def _forget(self, call: str, desk: Desk) -> None:
        if self._recall(call) is not None:
            task = asyncio.create_task(_forget(call, desk))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)


async def _forget(call: str, desk: Desk) -> None:
    with contextlib.suppress(EngineError):  # a worker that died has forgotten already
        await desk.engines.llm.forget(call)
