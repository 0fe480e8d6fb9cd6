"""`frontdesk bench llm`: how soon the language model answers and how fast it goes on, for one call and for several."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from appliance.engines.contracts import LanguageModel, Message
from appliance.flow.chunker import Chunker

QUESTIONS = (
    "When are you open?",
    "Where can I park my car?",
    "What is the Wi-Fi password?",
    "Who looks after the parcels?",
    "How much does a meeting room cost?",
    "Where are the toilets?",
    "Who is the manager?",
    "Which bus stops here?",
)
STORY = "Tell me all that you know about this house, in long sentences."
LONG_TOKENS = 80
CALLS = (1, 2, 4)


async def measure(llm: LanguageModel, instructions: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """`ttft_ms` and `clause_ms`: request → first token and first clause, medians of short questions in a call whose
    history is cached. `tok_s`: tokens a second while it speaks; `calls`: of so many calls at once, together."""
    first: list[float] = []
    clause: list[float] = []
    history = [Message("system", instructions)]
    await llm.prefill("bench", history)
    for question in QUESTIONS:
        took = await _ask(llm, [*history, Message("user", question)])
        first.append(took[0])
        clause.append(took[1])
        tell(f"{question} first token {took[0]:.0f} ms, first clause {took[1]:.0f} ms")
    together = {str(calls): await _together(llm, instructions, calls) for calls in CALLS}
    for calls, rate in together.items():
        tell(f"{calls} at once: {rate} tokens/s")
    return {
        "ttft_ms": round(float(np.median(first)), 1),
        "ttft_p95_ms": round(float(np.percentile(first, 95)), 1),
        "clause_ms": round(float(np.median(clause)), 1),
        "tok_s": together["1"],
        "calls": together,
    }


async def _ask(llm: LanguageModel, messages: list[Message]) -> tuple[float, float]:
    """ms to the first token and to the first clause."""
    chunker, began = Chunker(), time.perf_counter()
    first = clause = 0.0
    async for token in llm.generate("bench", messages, max_tokens=LONG_TOKENS):
        now = (time.perf_counter() - began) * 1000
        first = first or now
        if not clause and chunker.feed(token.text):
            clause = now
    return first, clause or (time.perf_counter() - began) * 1000


async def _together(llm: LanguageModel, instructions: str, calls: int) -> float:
    """Tokens a second of so many calls that all speak at once, their prompts read before."""
    messages = [Message("system", instructions), Message("user", STORY)]
    names = [f"bench-{i}" for i in range(calls)]
    for name in names:
        await llm.prefill(name, messages)
    began = time.perf_counter()
    counts = await asyncio.gather(*(_count(llm, name, messages) for name in names))
    took = time.perf_counter() - began
    for name in names:
        await llm.forget(name)
    return round(sum(counts) / took, 1)


async def _count(llm: LanguageModel, name: str, messages: list[Message]) -> int:
    count = 0
    async for _ in llm.generate(name, messages, max_tokens=LONG_TOKENS):
        count += 1
    return count
