"""A canary: one turn of the device with itself, through its real flow, to see how it does."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import numpy as np

from appliance.doors.file import FileLine
from appliance.dsp.resample import Resampler
from appliance.engines.contracts import Synthesiser
from appliance.flow.phrases import render
from appliance.terms.clock import Clock
from appliance.terms.errors import EngineLate
from appliance.terms.events import Event, TurnEnded, as_json
from appliance.terms.units import CAPTURE_RATE, Pcm

from .calls import Calls

QUESTION = "What are your opening hours?"
WITHIN_S = 30.0


class CanaryLine(FileLine):
    """Asks once; `turn` is what came of it."""

    door = "canary"

    def __init__(self, pcm: Pcm, rate_out: int, clock: Clock) -> None:
        super().__init__(pcm, rate_out, clock)
        self.call = secrets.token_urlsafe(16)
        self.turn: asyncio.Future[TurnEnded] = asyncio.get_running_loop().create_future()

    def tell(self, event: Event) -> None:
        if isinstance(event, TurnEnded) and not self.turn.done():
            self.turn.set_result(event)


async def canary(calls: Calls, tts: Synthesiser, clock: Clock) -> dict[str, Any]:
    """The turn's event, without its words. Takes a line of the device, which Busy or NotReady refuses; EngineLate
    where there is no reply in half a minute."""
    release = calls.admit()
    try:
        question = await render(tts, QUESTION)
        said = Resampler(question.rate, CAPTURE_RATE).feed(np.concatenate([sound.pcm for sound in question.sounds]))
        line = CanaryLine(said, tts.rate, clock)
        call = asyncio.create_task(calls.answer(line, greet=False))
        try:
            async with asyncio.timeout(WITHIN_S):
                turn = await line.turn
        except TimeoutError:
            raise EngineLate("The device asked itself a question, and there was no reply.") from None
        finally:
            line.hang_up("hangup")
            await call
    finally:
        release()
    return as_json(turn, words=False)
