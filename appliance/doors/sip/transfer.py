"""Handing a caller on: blind, or with words that introduce them, by the phones themselves or over a bridge of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np

from appliance.dsp.resample import Resampler
from appliance.terms.errors import EngineError, NotReady
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, Pcm

from .address import Address
from .exchange import Exchange, Leg, happens
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
        """Raises EngineError or NotReady where it came to nothing."""
        exchange = self._exchange
        other = exchange.line(caller=to.name)
        callers, leg = exchange.legs[line.leg], None
        try:
            async with playing(line, self._music):
                leg = await exchange.dial(other, account, to)
                leg.line = other
                if not await happens(leg.established, leg.closed, callers.closed, within_s=ANSWERED_WITHIN_S):
                    raise EngineError(f"{to.name} did not answer: {leg.why or 'nobody waited any longer'}")
                await self._speak(other, words)
            await self._connect(callers, leg)
        except (EngineError, NotReady):
            with contextlib.suppress(EngineError):  # connecting puts a caller on hold
                await exchange.ask("hold", call=line.leg, on=False)
            if leg is not None:
                await exchange.hang_up(leg)
            raise
        finally:
            other.hang_up("stopped")

    async def _connect(self, callers: Leg, other: Leg) -> None:
        """Let the phones connect themselves (REFER with Replaces, RFC 3891); where they cannot, stay between them."""
        ask = self._exchange.ask
        numbers = {"call": callers.number, "other": other.number}
        try:
            await ask("connect", TRANSFERRED_WITHIN_S, **numbers, within_s=REFERRED_WITHIN_S)
        except EngineError:
            if callers.closed.is_set() or other.closed.is_set() or callers.line is None:
                raise
            for number in numbers.values():  # the attempt has put both on hold
                await ask("hold", call=number, on=False)
            callers.bridged, other.bridged = other, callers
            callers.line.hang_up("transferred")
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
