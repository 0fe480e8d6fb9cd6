"""What a call has done for its caller: messages passed on, hosts told, tools used, callers put through."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from appliance.engines.contracts import Token
from appliance.knowledge.answer import Act, Forget
from appliance.knowledge.dictation import number_of
from appliance.knowledge.filling import Use
from appliance.knowledge.people import Connect, Person
from appliance.knowledge.service import OFFER
from appliance.knowledge.taking import Message, offered
from appliance.knowledge.visiting import Arrived
from appliance.terms.errors import EngineError, FrontdeskError
from appliance.terms.line import Line

from .agent import Memory, has_heard
from .desk import Hands
from .telling import Telling

log = logging.getLogger(__name__)

COVER_AFTER_S = 0.7
COVER = "One moment, please, I am looking into it. "
NO_ANSWER = "I'm sorry, {name} cannot be reached right now."


class Acting:
    """One call's. `say` says words at once."""

    def __init__(
        self, line: Line, hands: Hands, telling: Telling, memory: Memory, say: Callable[[str], Awaitable[None]]
    ) -> None:
        self._line = line
        self._hands = hands
        self._telling = telling
        self._memory = memory
        self._say = say
        self._used: dict[str, asyncio.Task[str]] = {}
        """Since a turn was settled. A caller who adds a word is answered anew, but nothing is done twice."""

    async def use(self, use: Use) -> AsyncGenerator[Token, None]:
        """Use a tool, and say what came of it. A caller who goes on speaking does not stop it."""
        key = f"{use.tool} {sorted(use.arguments.items())}"
        if key not in self._used:
            line = self._line
            about = {"call": line.call, "door": line.door, "caller": line.caller, "desk": line.desk}
            self._used[key] = asyncio.create_task(self._hands.use(use, about), name=f"tool {use.tool}")
        task = self._used[key]
        await asyncio.wait({task}, timeout=COVER_AFTER_S)
        if not task.done():
            yield Token(COVER)
        yield Token(await asyncio.shield(task))

    def settle(self, heard: str) -> None:
        """A turn is over, and this was heard. What came of a tool and was not is said with the next reply."""
        used, self._used = self._used, {}
        for task in used.values():
            if not task.done() or (task.exception() is None and not has_heard(task.result(), heard)):
                task.add_done_callback(self._owe)

    async def do(self, act: Act, *, interrupted: bool) -> None:
        """What is due once a reply was heard."""
        match act:
            case Message():
                self._telling.take(act)
            case Arrived():
                self._telling.arrived(act)
            case Forget():
                self._memory.name = ""
                self._telling.forgotten()
            case Connect(person=person) if not interrupted:
                await self._connect(person)

    async def _connect(self, person: Person) -> None:
        try:
            await self._hands.connect(self._line.call, person)
        except FrontdeskError as error:
            log.warning("call %s: not put through to %s: %s", self._line.call, person.name, error)
            self._memory.form = offered(number_of(self._line.caller), person.name)
            with suppress(EngineError):
                await self._say(f"{NO_ANSWER.format(name=person.name)} {OFFER}")

    def _owe(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._memory.owed = task.result()
