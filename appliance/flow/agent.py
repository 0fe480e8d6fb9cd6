"""Who answers: what is known, else the language model; and this call's history."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from appliance.engines.contracts import LanguageModel, Message, Token
from appliance.knowledge.answer import Act, Answer, Context, Form
from appliance.knowledge.dictation import number_of
from appliance.knowledge.filling import OFFER, Use
from appliance.terms.errors import EngineError
from appliance.terms.line import Line

from .desk import Desk, Find
from .spoken import spoken
from .wording import asks_to_wait, says_goodbye

GOODBYE = "Thank you for calling. Goodbye."
WAITING = "Of course, take your time."
MORE_MAY_COME = re.compile(r"\b(?:open|close[sd]?|hours)\W*$", re.IGNORECASE)
""""Are you open" may go on: "… on Saturday?"."""
OFFERED = ("offer", OFFER)
"""What a form wants that only was offered."""
WEIGHED_WITHIN_S = 0.3
TELLING = 24
"""Characters."""
MOST_TURNS = 12
KEPT_TURNS = 6
"""History is cut from 12 turns to 6 at once, so that the re-reading it costs comes seldom."""


async def nothing(words: str, context: Context) -> None:
    """Who knows nothing leaves it all to the language model."""


async def no_hands(use: Use) -> AsyncGenerator[Token, None]:
    """Who can do nothing."""
    yield Token("I'm sorry, I cannot do that.")


async def at_once() -> None:
    """Who does not wait for the turn to be over."""


@dataclass(slots=True)
class Memory:
    """What a call has been about. It outlives the line, so that a caller who was lost can go on."""

    history: list[Message] = field(default_factory=list)
    turns: int = 0
    """How many turns there were."""
    said: str = ""
    """The last reply, all of it, as far as it is known: to be said again."""
    name: str = ""
    """The caller's, if it is known from earlier calls."""
    form: Form | None = None
    """What is being asked of the caller."""
    owed: str = ""
    """What came of a tool whose caller has interrupted: to be said with the next reply."""


class Agent:
    """Who answers one call. A reply that is only being prepared leaves no trace; `settle` makes it history."""

    def __init__(
        self,
        llm: LanguageModel,
        instructions: str,
        memory: Memory,
        find: Find = nothing,
        *,
        call: str,
        caller: str = "",
        door: str = "",
        use: Callable[[Use], AsyncGenerator[Token, None]] = no_hands,
    ) -> None:
        self._llm = llm
        self._find = find
        self._caller = number_of(caller)
        self._door = door
        self._use = use
        self._memory = memory
        self._prepared: dict[str, Answer | None] = {}
        """What was found for the words that may be the caller's, until it is clear which are."""
        self._call = call
        self._instructions = Message("system", instructions)
        self._history = memory.history

    @property
    def conversation(self) -> list[Message]:
        """The instructions, and what was said so far."""
        return [self._instructions, *self._history]

    async def reply(
        self, words: str, *, max_tokens: int, said: str = "", committed: Callable[[], Awaitable[object]] = at_once
    ) -> AsyncGenerator[Token, None]:
        """The reply to `words`, a token at a time, or the rest of one of which this was `said`. Nothing is done in the
        world before the turn is `committed`. Raises EngineError."""
        if asks_to_wait(words):
            yield Token(WAITING, ends=1.0)
            return
        if self.parts(words):
            yield Token(GOODBYE, ends=1.0)
            return
        answer = self._prepared[words] = await self._find(words, self._context())
        if answer is not None and answer.use is not None:
            yield Token("", ends=1.0)
            await committed()
            async with aclosing(self._use(answer.use)) as tokens:
                async for token in tokens:
                    yield token
            return
        owed = self._memory.owed
        if answer is not None and answer.text:
            ends = await self._ends(words, answer)
            text = f"{owed} {answer.text}".strip().removeprefix(said).strip()
            yield Token(text, ends=ends, source=answer.source)
            return
        notes = f"{plain(answer.notes)}\n\n" if answer is not None else ""
        messages = [*self.conversation, Message("user", f"{notes}{plain(words)}")]
        if said:
            messages.append(Message("assistant", said))
        tokens = self._llm.generate(self._call, messages, max_tokens=max_tokens)
        async with aclosing(tokens):
            async for token in tokens:
                yield replace(token, text=f"{owed} {token.text}") if owed and not said else token
                owed = ""

    def parts(self, words: str) -> bool:
        """Is the call over with these words? Not in the middle of a message."""
        form = self._memory.form
        return says_goodbye(words) and (form is None or form.wanted in OFFERED)

    def _context(self) -> Context:
        asked = next((message.text for message in reversed(self._history) if message.role == "user"), "")
        memory = self._memory
        known = {"caller": self._caller, "name": memory.name, "door": self._door}
        return Context(asked=asked, said=memory.said, form=memory.form, **known)

    async def _ends(self, words: str, answer: Answer) -> float | None:
        """How likely the caller has finished; None where nobody can tell soon, which keeps nobody from an answer."""
        if answer.whole and not MORE_MAY_COME.search(words):
            return 1.0
        try:
            async with asyncio.timeout(WEIGHED_WITHIN_S):
                return await self._llm.weigh(self._call, [*self.conversation, Message("user", plain(words))])
        except (EngineError, TimeoutError):
            return None

    async def hear(self, words: str) -> None:
        """Let the model read what the caller is still saying. Raises EngineError."""
        messages = [*self.conversation, Message("user", plain(words))]
        await self._llm.prefill(self._call, messages, ended=False)

    def settle(self, words: str, heard: str) -> Act | None:
        """A turn is over: what the caller said, and what they heard of the reply. What is to be done now."""
        answer = self._prepared.get(words)
        self._prepared.clear()
        if has_heard(self._memory.owed, heard):
            self._memory.owed = ""
        self._memory.said = answer.text if answer is not None and answer.text else heard
        if answer is not None:
            self._memory.form = answer.form
        elif self._memory.form is not None and self._memory.form.wanted in OFFERED:
            self._memory.form = None
        self._history.append(Message("user", plain(words)))
        if heard:
            self._history.append(Message("assistant", heard))
        if sum(m.role == "user" for m in self._history) > MOST_TURNS:
            turns = [i for i, m in enumerate(self._history) if m.role == "user"]
            del self._history[: turns[-KEPT_TURNS]]
        return answer.act if answer is not None else None

    def add(self, words: str) -> None:
        """The agent said this without being asked."""
        self._memory.said = words
        self._history.append(Message("assistant", words))

    async def prepare(self) -> None:
        """Let the model read the history before the next turn needs it. Raises EngineError."""
        await self._llm.prefill(self._call, self.conversation)

    async def forget(self) -> None:
        """The call is over. Raises EngineError."""
        await self._llm.forget(self._call)


def has_heard(words: str, heard: str) -> bool:
    """Was enough of these words heard to know what they say?"""
    return spoken(words)[:TELLING] in heard


def plain(words: str) -> str:
    """A caller's words may not speak the chat template's own language."""
    return words.replace("<|", "< |").replace("|>", "| >")


def at_desk(desk: Desk, line: Line, memory: Memory, use: Callable[[Use], AsyncGenerator[Token, None]]) -> Agent:
    """Who answers a line."""
    llm, caller = desk.engines.llm, line.caller
    return Agent(llm, desk.instructions, memory, desk.find, call=line.call, caller=caller, door=line.door, use=use)
