"""A phone without models, an agent that repeats what it hears, and test phones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from appliance.bench.switchboard import TRUSTING, Phone, phone
from appliance.bench.telephone import Telephone
from appliance.dsp.resample import Resampler
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE


async def echo(line: Line) -> None:
    """Says what it hears, and nothing while it is held."""
    resampler = Resampler(CAPTURE_RATE, line.rate_out)
    async for frame in line.frames():
        if not line.held:
            line.play(resampler.feed(frame.pcm))


@pytest.fixture
async def desk() -> AsyncIterator[Phone]:
    """Takes direct calls, repeats what it hears, and calls and transfers anywhere."""
    config = replace(TRUSTING, dial=["*@*"], keys={"0": "sip:reception@127.0.0.1:9"})
    async with phone(config, echo) as under_test:
        yield under_test


@contextlib.asynccontextmanager
async def telephone(address: str = "127.0.0.1", **options: Any) -> AsyncIterator[Telephone]:
    caller = Telephone(address, **options)
    await caller.open()
    try:
        yield caller
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(caller.hang_up(), 1.0)
        caller.close()
