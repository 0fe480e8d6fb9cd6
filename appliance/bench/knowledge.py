"""`frontdesk bench knowledge`: how long it takes to read what an owner wrote, and to find in it what a caller asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from appliance.knowledge import index
from appliance.knowledge.passages import Passage
from appliance.terms.meaning import Reader

THINGS = (
    *("chair", "table", "lamp", "kettle", "ladder", "drill", "saw", "hammer", "tent"),
    *("boat", "kayak", "bicycle", "canoe", "helmet", "rope", "stove"),
)
PLACES = ("hall", "cellar", "yard", "attic", "garden", "shed", "office", "kitchen")
LINES = (
    "The {thing} number {number} stands in the {place} and may be borrowed for two days at a time.",
    "To hire {thing} {number} costs {price} euros a day, and a deposit of {more} euros is asked for.",
    "Ask in the {place} for the key to {thing} {number}; it must be back before six in the evening.",
    "Members pay {price} euros less for {thing} {number}, which was repaired in the {place} last spring.",
)
QUESTIONS = (
    "How much is it to hire the kayak?",
    "Where does the ladder stand?",
    "Do members get anything cheaper?",
    "When does the key have to be back?",
    "Can I bring my dog?",
)
RUNS = 20


async def measure(reader: Reader, tell: Callable[[str], None], *, passages: int) -> dict[str, Any]:
    """`read_s`: all of them, as at the first start; `find_ms`: from a caller's words to what may answer them."""
    made = [Passage(text=text) for text in _written(passages)]
    began = time.perf_counter()
    known = index.Index(await index.entries(reader, made))
    read_s = time.perf_counter() - began
    tell(f"{len(known)} passages read in {read_s:.1f} s")
    took: list[float] = []
    search: list[float] = []
    for question in QUESTIONS * RUNS:
        began = time.perf_counter()
        (meaning,) = await reader.read([question])
        understood = time.perf_counter()
        known.find(question, meaning)
        took.append((time.perf_counter() - began) * 1000)
        search.append((time.perf_counter() - understood) * 1000)
    return {
        "passages": len(known),
        "read_s": round(read_s, 1),
        "find_p50_ms": round(float(np.median(took)), 1),
        "find_p95_ms": round(float(np.percentile(took, 95)), 1),
        "search_p50_ms": round(float(np.median(search)), 1),
    }


def _written(count: int) -> list[str]:
    return [
        LINES[number % len(LINES)].format(
            thing=THINGS[number % len(THINGS)],
            place=PLACES[number % len(PLACES)],
            number=number,
            price=5 + number % 40,
            more=50 + number % 300,
        )
        for number in range(count)
    ]
