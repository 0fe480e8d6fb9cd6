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

Intent = Literal["talk", "repeat", "message", "person", "goodbye"]
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
    def __init__(self, intents: Sequence[Intent], examples: Vectors) -> None:
        """`examples`: (n, 384) float32, one of each intent of `intents`."""
        self._intents = list(intents)
        self._examples = examples

    def meant(self, words: Meaning) -> Meant | None:
        """None where they are like no example."""
        likeness = self._examples @ words.whole
        best = int(np.argmax(likeness))
        if likeness[best] < LIKE:
            return None
        return Meant(intent=self._intents[best], likeness=float(likeness[best]))


def texts() -> list[str]:
    """All examples."""
    return [example for examples in EXAMPLES.values() for example in examples]


async def read(reader: Reader) -> Intents:
    """Raises EngineError."""
    meanings = await reader.read(texts())
    intents = [intent for intent, examples in EXAMPLES.items() for _ in examples]
    return Intents(intents, np.array([meaning.whole for meaning in meanings]))
