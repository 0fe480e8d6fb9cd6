"""What a caller wants who asks no question of fact: told by likeness to what others have said. English. Pure.

A caller's words belong to the intent of the likeliest example, if that is like enough, and more like them than any
passage of the owner's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from appliance.terms.meaning import Meaning, Reader, Vectors

from .filling import Tool

Intent = Literal["talk", "repeat", "message", "person", "arrived", "goodbye"]
EXAMPLES: dict[Intent, tuple[str, ...]] = {
    "talk": (
        "Hello.",
        "Good morning, how are you?",
        "Thank you very much.",
        "Thanks, that helps a lot.",
        "Okay, great.",
        "Alright, I see.",
        "That is good to know.",
        "Are you a robot or a real person?",
        "Who am I talking to?",
        "What is your name?",
        "What can you do for me?",
        "Can you help me?",
        "I have a question.",
        "I want to ask you something.",
        "I don't understand.",
        "You are very kind.",
        "My name is Peter Miller.",
        "Never mind.",
        "Yes, please.",
        "No, thank you.",
        "Can you hear me?",
        "Hello, is anybody there?",
        "Are you still there?",
        "Can you speak more slowly?",
        "Please speak louder.",
    ),
    "repeat": (
        "Can you repeat that, please?",
        "Sorry, what did you say?",
        "Say that again.",
        "Pardon? I did not hear that.",
        "Could you say that once more?",
        "I didn't catch that.",
        "What was that again?",
    ),
    "message": (
        "Can I leave a message?",
        "I would like to leave a message for the manager.",
        "Can you take a message?",
        "Please tell him that I called.",
        "Can you let her know that I will be late?",
        "Could you pass something on to your colleague?",
        "Please ask somebody to call me back.",
        "Can someone ring me back about this?",
        "I want to be called back.",
    ),
    "person": (
        "Can I speak to a person?",
        "I want to talk to a human being.",
        "Please put me through to somebody.",
        "Can you connect me with a colleague?",
        "Is there a real person I can talk to?",
        "Transfer me to the manager, please.",
        "I'd like to speak to a member of staff.",
    ),
    "arrived": (
        "I am here to see somebody.",
        "I have an appointment with Anna now.",
        "I have arrived for my meeting.",
        "Please tell Mr. Miller that I am here.",
        "I am here for my interview.",
        "Somebody is expecting me.",
    ),
    "goodbye": (
        "Goodbye.",
        "Bye bye.",
        "That's all, thank you, goodbye.",
        "That was everything, thanks.",
        "Have a nice day, bye.",
        "I have to go now.",
        "You can hang up now.",
    ),
}
LIKE = 0.6
"""So like an example (the cosine of what they mean) a caller's words must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    intent: Intent
    likeness: float


class Intents:
    def __init__(self, intents: Sequence[Intent], tools: Sequence[str], examples: Vectors) -> None:
        """`examples`: (n, 384) float32, one of each intent of `intents`, then of each tool of `tools`."""
        self._intents = list(intents)
        self._tools = list(tools)
        self._examples = examples

    def meant(self, words: Meaning) -> Meant | None:
        """None where they are like no example."""
        likeness = self._examples[: len(self._intents)] @ words.whole
        best = int(np.argmax(likeness))
        if likeness[best] < LIKE:
            return None
        return Meant(intent=self._intents[best], likeness=float(likeness[best]))

    def like(self, intent: Intent, parts: Sequence[Meaning]) -> float:
        """How like an example of it the likest part is, −1 to 1."""
        examples = self._examples[: len(self._intents)][[one == intent for one in self._intents]]
        return max(float((examples @ part.whole).max()) for part in parts)

    def tools(self, parts: Sequence[Meaning]) -> dict[str, float]:
        """How like an example of each tool the likest part is."""
        likeness = self._examples[len(self._intents) :] @ np.array([part.whole for part in parts]).T
        found: dict[str, float] = {}
        for tool, like in zip(self._tools, likeness.max(axis=1).tolist(), strict=True):
            found[tool] = max(like, found.get(tool, -1.0))
        return found


def texts(tools: Sequence[Tool] = ()) -> list[str]:
    """All examples."""
    examples = [example for examples in EXAMPLES.values() for example in examples]
    return [*examples, *(example for tool in tools for example in tool.examples)]


async def read(reader: Reader, tools: Sequence[Tool] = ()) -> Intents:
    """Raises EngineError."""
    meanings = await reader.read(texts(tools))
    intents = [intent for intent, examples in EXAMPLES.items() for _ in examples]
    names = [tool.name for tool in tools for _ in tool.examples]
    return Intents(intents, names, np.array([meaning.whole for meaning in meanings]))
