"""Handing a caller on: blind, or with words that introduce them, by the phones themselves or over a bridge of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np

from appliance.dsp.resample import Resampler
from appliance.terms.errors import EngineError
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, Pcm

from .address import Address
from .exchange import Exchange, Leg, either
from .line import RATE_OUT, SipLine
from .waiting import playing

ANSWERED_WITHIN_S = 60.0
TRANSFERRED_WITHIN_S = 45.0
REFERRED_WITHIN_S = 40.0
BRIDGE_MS, MOST_BRIDGE_MS = 40, 200
"""What a bridge holds back against unevenness, and what it drops beyond."""

Speak = Callable[[Line, str], Awaitable[None]]


async def blind(exchange: Exchange, line: SipLine, to: Address) -> None:
    """The caller's phone calls somebody else, and leaves us. Raises EngineError where that came to nothing."""
    await exchange.ask("transfer", TRANSFERRED_WITHIN_S, call=line.leg, to=str(to), within_s=REFERRED_WITHIN_S)


class Introduction:
    """`run` calls the third party, says who comes, and lets both go on with each other."""

    def __init__(
        self, exchange: Exchange, speak: Speak, music: Pcm, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        """`speak` says words to a line; `music` is what the caller hears meanwhile; `spawn` keeps a task for as long as
        it runs."""
        self._exchange = exchange
        self._speak = speak
        self._music = music
        self._spawn = spawn

    async def run(self, line: SipLine, account: str, to: Address, words: str) -> None:
        """Raises EngineError where it came to nothing."""
        exchange = self._exchange
        other = exchange.line(caller=to.name)
        leg: Leg | None = None
        try:
            async with playing(line, self._music):
                leg = await exchange.dial(other, account, to)
                leg.line = other
                if await either(leg.established, leg.closed, ANSWERED_WITHIN_S) is not leg.established:
                    raise EngineError(f"{to.name} did not answer: {leg.why or 'it rang for too long'}")
                await self._speak(other, words)
            await self._connect(line, leg)
        except EngineError:
            with contextlib.suppress(EngineError):  # connecting puts a caller on hold
                await exchange.ask("hold", call=line.leg, on=False)
            if leg is not None:
                await exchange.hang_up(leg)
            raise
        finally:
            other.hang_up("stopped")

    async def _connect(self, line: SipLine, other: Leg) -> None:
        """Let the phones connect themselves (REFER with Replaces, RFC 3891); where the caller's cannot do that, stay
        between them."""
        ask = self._exchange.ask
        numbers = {"call": line.leg, "other": other.number}
        try:
            await ask("connect", TRANSFERRED_WITHIN_S, **numbers, within_s=REFERRED_WITHIN_S)
        except EngineError as error:
            if "Replaces" not in str(error):
                raise
            for number in numbers.values():  # the attempt has put both on hold
                await ask("hold", call=number, on=False)
            callers = self._exchange.legs[line.leg]
            callers.bridged = True
            line.hang_up("transferred")
            self._spawn(self._bridge(callers, other))

    async def _bridge(self, *legs: Leg) -> None:
        """Carry the sound of two calls to each other until one of them ends."""
        one, other = (self._exchange.line(leg.number, caller="") for leg in legs)
        for leg, line in zip(legs, (one, other), strict=True):
            leg.line = line
        ways = [asyncio.create_task(_relay(*way)) for way in ((one, other), (other, one))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for leg in legs:
                await self._exchange.hang_up(leg)


async def _relay(source: SipLine, sink: SipLine) -> None:
    """What one says to the other, who hears it as evenly as it comes."""
    resampler = Resampler(CAPTURE_RATE, RATE_OUT)
    sink.play(np.zeros(RATE_OUT * BRIDGE_MS // 1000, np.int16))
    async for frame in source.frames():
        if sink.queued_ms > MOST_BRIDGE_MS:
            sink.flush()
        sink.play(resampler.feed(frame.pcm))
