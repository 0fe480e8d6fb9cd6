"""Who answers: the instructions, this call's history, and the language model's words."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from appliance.engines.contracts import LanguageModel, Message, Token

from .desk import Knows
from .wording import asks_to_wait

WAITING = "Of course, take your time."
MORE_MAY_COME = re.compile(r"\b(?:open|close[sd]?|hours)\W*$", re.IGNORECASE)
""""Are you open" may go on: "… on Saturday?"."""
MOST_TURNS = 12
KEPT_TURNS = 6
"""History is cut from 12 turns to 6 at once, so that the re-reading it costs comes seldom."""


@dataclass(slots=True)
class Memory:
    """What a call has been about. It outlives the line, so that a caller who was lost can go on."""

    history: list[Message] = field(default_factory=list)
    turns: int = 0
    """How many turns there were."""


class Agent:
    """Who answers one call. A reply that is only being prepared leaves no trace; `settle` makes it history."""

    def __init__(
        self, llm: LanguageModel, call: str, instructions: str, memory: Memory, knows: Knows = lambda words: None
    ) -> None:
        self._llm = llm
        self._knows = knows
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
        if (answer := self._knows(words)) is not None:
            yield Token(answer.removeprefix(said), ends=None if MORE_MAY_COME.search(words) else 1.0)
            return
        messages = [*self.conversation, Message("user", plain(words))]
        if said:
            messages.append(Message("assistant", said))
        tokens = self._llm.generate(self._call, messages, max_tokens=max_tokens)
        async with aclosing(tokens):
            async for token in tokens:
                yield token

    async def hear(self, words: str) -> None:
        """Let the model read what the caller is still saying. Raises EngineError."""
        messages = [*self.conversation, Message("user", plain(words))]
        await self._llm.prefill(self._call, messages, ended=False)

    def settle(self, words: str, heard: str) -> None:
        """A turn is over: what the caller said, and what they heard of the reply."""
        self._history.append(Message("user", plain(words)))
        if heard:
            self._history.append(Message("assistant", heard))
        if sum(m.role == "user" for m in self._history) > MOST_TURNS:
            turns = [i for i, m in enumerate(self._history) if m.role == "user"]
            del self._history[: turns[-KEPT_TURNS]]

    def add(self, words: str) -> None:
        """The agent said this without being asked."""
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
