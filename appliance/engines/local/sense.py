"""The worker that makes sense of things: has the speaker finished, and what does a sentence mean?

Both are small and seldom at work at the same time, so they share a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from appliance.workers.mailbox import Answer, Mailbox, Request, serve_in_turn

from .minilm import MiniLm
from .smartturn import SmartTurn


class Sense:
    """`end`: PCM in, `{probability}` out. `read`: `{texts}` in, for each `{words}` and its vectors out."""

    def __init__(self, turn: str, meaning: str, tokenizer: str) -> None:
        self._turn = SmartTurn(turn)
        self._meaning = MiniLm(meaning, tokenizer)
        self.facts: Mapping[str, Any] = {}

    def serve(self, mailbox: Mailbox) -> None:
        serve_in_turn(mailbox, self._handle)

    def _handle(self, request: Request) -> Answer:
        match request.op:
            case "end":
                yield {"probability": self._turn.end_probability(np.frombuffer(request.data, np.int16))}, b""
            case "read":
                for text in request.arguments["texts"]:
                    meaning = self._meaning.read(str(text))
                    vectors = np.concatenate([meaning.whole[None], meaning.each])
                    yield {"words": list(meaning.words)}, vectors.astype("<f4").tobytes()
            case _:
                raise ValueError(f"unknown operation {request.op!r}")
