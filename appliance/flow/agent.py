"""Who answers: what is known, else the language model; and this call's history."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from appliance.engines.contracts import LanguageModel, Message, Token
from appliance.knowledge.clerk import Answer, Context
from appliance.knowledge.dictation import number_of
from appliance.knowledge.taking import Message as Taken
from appliance.knowledge.taking import Taking
from appliance.terms.errors import EngineError

from .desk import Find
from .wording import asks_to_wait, says_goodbye

GOODBYE = "Thank you for calling. Goodbye."
WAITING = "Of course, take your time."
MORE_MAY_COME = re.compile(r"\b(?:open|close[sd]?|hours)\W*$", re.IGNORECASE)
""""Are you open" may go on: "… on Saturday?"."""
WEIGHED_WITHIN_S = 0.3
MOST_TURNS = 12
KEPT_TURNS = 6
"""History is cut from 12 turns to 6 at once, so that the re-reading it costs comes seldom."""


async def nothing(words: str, context: Context) -> None:
    """Who knows nothing leaves it all to the language model."""


def nobody(message: Taken) -> None:
    """Who has nobody to pass a message on to."""


@dataclass(slots=True)
class Memory:
    """What a call has been about. It outlives the line, so that a caller who was lost can go on."""

    history: list[Message] = field(default_factory=list)
    turns: int = 0
    """How many turns there were."""
    said: str = ""
    """The last reply, all of it, as far as it is known: to be said again."""
    form: Taking | None = None
    """What is being taken from the caller."""


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
        take: Callable[[Taken], None] = nobody,
    ) -> None:
        """`take` is given each message that a caller wants passed on."""
        self._llm = llm
        self._find = find
        self._caller = number_of(caller)
        self._take = take
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

    async def reply(self, words: str, *, max_tokens: int, said: str = "") -> AsyncGenerator[Token, None]:
        """The reply to `words`, a token at a time, or the rest of one of which this was `said`. Raises EngineError."""
        if asks_to_wait(words):
            yield Token(WAITING, ends=1.0)
            return
        if self.parts(words):
            yield Token(GOODBYE, ends=1.0)
            return
        answer = self._prepared[words] = await self._find(words, self._context())
        if answer is not None and answer.text:
            ends = await self._ends(words, answer)
            yield Token(answer.text.removeprefix(said).lstrip(), ends=ends, source=answer.source)
            return
        notes = f"{plain(answer.notes)}\n\n" if answer is not None else ""
        messages = [*self.conversation, Message("user", f"{notes}{plain(words)}")]
        if said:
            messages.append(Message("assistant", said))
        tokens = self._llm.generate(self._call, messages, max_tokens=max_tokens)
        async with aclosing(tokens):
            async for token in tokens:
                yield token

    def parts(self, words: str) -> bool:
        """Is the call over with these words? Not in the middle of a message."""
        form = self._memory.form
        return says_goodbye(words) and (form is None or form.wanted == "offer")

    def _context(self) -> Context:
        asked = next((message.text for message in reversed(self._history) if message.role == "user"), "")
        return Context(asked=asked, said=self._memory.said, form=self._memory.form, caller=self._caller)

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

    def settle(self, words: str, heard: str) -> None:
        """A turn is over: what the caller said, and what they heard of the reply."""
        answer = self._prepared.get(words)
        self._prepared.clear()
        self._memory.said = answer.text if answer is not None and answer.text else heard
        if answer is not None:
            self._memory.form = answer.form
            if answer.taken is not None:
                self._take(answer.taken)
        elif self._memory.form is not None and self._memory.form.wanted == "offer":
            self._memory.form = None
        self._history.append(Message("user", plain(words)))
        if heard:
            self._history.append(Message("assistant", heard))
        if sum(m.role == "user" for m in self._history) > MOST_TURNS:
            turns = [i for i, m in enumerate(self._history) if m.role == "user"]
            del self._history[: turns[-KEPT_TURNS]]

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


def plain(words: str) -> str:
    """A caller's words may not speak the chat template's own language."""
    return words.replace("<|", "< |").replace("|>", "| >")
