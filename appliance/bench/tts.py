"""`frontdesk bench tts`: how soon a clause sounds, and how fast synthesis is beside speech."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from appliance.engines.contracts import Synthesiser

CLAUSES = ("Yes, we are.", "We are open Monday", "The Wi-Fi password is blue", "Good morning.", "The manager is Maria")
SENTENCES = (
    "We are open Monday to Friday from eight in the morning to six in the evening, and on Saturday until one.",
    "Visitors leave their car in the yard behind the building, free for two hours.",
    "The lighthouse room seats twelve people and is on the second floor, next to the lift.",
)
RUNS = 5


async def measure(tts: Synthesiser, tell: Callable[[str], None]) -> dict[str, Any]:
    """`first_chunk_ms`: request → first sound of a short clause; `rtf`: time a second of speech takes, of sentences.
    Both as the main process sees them, medians."""
    first: list[float] = []
    factors: list[float] = []
    for text in (*CLAUSES, *SENTENCES) * RUNS:
        began = time.perf_counter()
        arrived: list[float] = []
        samples = 0
        async for sound in tts.synthesise(text):
            arrived.append((time.perf_counter() - began) * 1000)
            samples += len(sound.pcm)
        seconds = samples / tts.rate
        if text in CLAUSES:
            first.append(arrived[0])
        else:
            factors.append(arrived[-1] / 1000 / seconds)
        tell(f"{arrived[0]:.0f} ms, {seconds:.1f} s: {text}")
    return {
        "first_chunk_ms": round(float(np.median(first)), 1),
        "first_chunk_p95_ms": round(float(np.percentile(first, 95)), 1),
        "rtf": round(float(np.median(factors)), 3),
    }
