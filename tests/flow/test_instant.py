"""How known answers begin, rendered beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from appliance.engines.contracts import Sound
from appliance.flow import instant
from appliance.flow.instant import CALM_S, Instant, begins
from appliance.terms.clock import SystemClock


class HandClock(SystemClock):
    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment


class Voice:
    """Says a sample a letter, and notes what it was asked to say."""

    rate = 22_050

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        self.asked.append(text)
        yield Sound(pcm=np.full(len(text), 1, np.int16), words=((text, len(text)),))


async def said(voice: Instant, text: str) -> int:
    return sum([len(sound.pcm) async for sound in voice.synthesise(text)])


async def test_what_was_rendered_is_said_without_asking_again() -> None:
    voice = Voice()
    kept = Instant(voice, HandClock())
    await kept.render(["Coffee: the kitchen is on the first floor."])
    assert "Coffee:" in kept
    before = list(voice.asked)
    assert await said(kept, "Coffee:") == len("Coffee:")
    assert voice.asked == before
    assert await said(kept, "Tea:") == len("Tea:")
    assert voice.asked[-1] == "Tea:"


async def test_who_speaks_now_goes_before_what_is_for_later() -> None:
    voice, clock = Voice(), HandClock()
    clock.moment = 100
    kept = Instant(voice, clock)
    await said(kept, "Now.")
    rendering = asyncio.create_task(kept.render(["Later."]))
    await asyncio.sleep(0)
    assert voice.asked == ["Now."]
    rendering.cancel()
    clock.moment += CALM_S
    await kept.render(["Later."])
    assert "Later." in kept


async def test_no_more_is_kept_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instant, "MOST_BYTES", 2 * 12)
    kept = Instant(Voice(), HandClock())
    await kept.render(["One.", "Two.", "Three.", "Four."])
    assert [word in kept for word in ("One.", "Two.", "Three.", "Four.")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("answer", "clauses"),
    [
        ("Yes, all of them.", ["Yes,"]),
        ("A double room costs 180 euros a night.", ["A double room", "A double room costs 180 euros a night."]),
        ("€45 for all.", ["45 euros for all."]),
        ("", []),
        ("***", []),
    ],
)
def test_how_an_answer_begins_on_a_quick_device_and_on_a_slow_one(answer: str, clauses: list[str]) -> None:
    assert begins(answer) == clauses
