"""Transcripts of a turn that is still being spoken, in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np

from appliance.bench.warp import LoopClock, warped
from appliance.engines.contracts import Transcript
from appliance.flow.partials import EVERY_S, SHARE, Partials
from appliance.terms.errors import EngineDown
from appliance.terms.units import Pcm

PCM = np.zeros(160, np.int16)


class Recogniser:
    """Hears what is next on its list, after so long."""

    def __init__(self, *heard: str, takes_s: float = 0.1) -> None:
        self.heard = list(heard)
        self.takes_s = takes_s

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        assert partial
        await asyncio.sleep(self.takes_s)
        if not self.heard:
            raise EngineDown("stt died")
        return Transcript(text=self.heard.pop(0), audio_s=0.0)


def test_it_is_not_due_too_often_and_less_where_the_recogniser_is_slow() -> None:
    async def listen(takes_s: float) -> float:
        told: list[tuple[str, str]] = []
        clock = LoopClock()
        partials = Partials(Recogniser("a", "a b", takes_s=takes_s), clock, lambda *words: told.append(words))
        partials.begin()
        assert not partials.due
        await asyncio.sleep(EVERY_S)
        assert partials.due
        began = clock.now()
        await partials.ask(PCM)
        while not partials.due:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        assert told == [("a", "")]
        return clock.now() - began

    assert abs(warped(listen(0.05)) - EVERY_S) < 0.02
    assert abs(warped(listen(0.3)) - 0.3 / SHARE) < 0.02


def test_what_comes_after_the_turn_is_not_told_and_a_dead_recogniser_is_no_news() -> None:
    async def listen() -> None:
        told: list[tuple[str, str]] = []
        partials = Partials(Recogniser("late", "new words", "new words too"), LoopClock(), lambda *w: told.append(w))
        partials.begin()
        asking = asyncio.create_task(partials.ask(PCM))
        await asyncio.sleep(0.05)
        partials.end()
        await asking
        assert told == []
        partials.begin()
        await partials.ask(PCM)
        await partials.ask(PCM)
        await partials.ask(PCM)
        assert told == [("new words", ""), ("new words too", "new words")]

    warped(listen())
