"""The visitor first, callers next, and last what is only done in advance."""

from __future__ import annotations

import asyncio

import pytest

from appliance.engines.local.precedence import FIRST, USUAL, Precedence, for_visitor
from appliance.terms.errors import EngineFull


async def asked(engine: Precedence, *, in_advance: bool = False, hold_s: float = 0.0) -> int:
    with engine.request(in_advance=in_advance) as priority:
        await asyncio.sleep(hold_s)
        return priority


async def visit(engine: Precedence, hold_s: float = 0.0) -> list[int]:
    """What a visitor's conversation asks, in tasks of its own too."""
    with for_visitor():
        aside = asyncio.create_task(asked(engine, in_advance=True))
        return [await asyncio.create_task(asked(engine, hold_s=hold_s)), await aside]


async def test_whose_work_it_is_follows_from_who_began_the_task() -> None:
    engine = Precedence()
    assert await asked(engine) == USUAL
    assert await asked(engine, in_advance=True) == USUAL, "of one call, all keep their order"
    assert await asyncio.create_task(visit(engine)) == [FIRST, FIRST]
    assert await asked(engine) == USUAL
    assert (engine.slowed, engine.refused) == (0, 0)


async def test_callers_who_wait_are_counted_and_nothing_is_done_for_them_in_advance() -> None:
    engine = Precedence()
    visitor = asyncio.create_task(visit(engine, hold_s=0.05))
    await asyncio.sleep(0.01)
    assert await asked(engine) == USUAL
    with pytest.raises(EngineFull, match="visitor"):
        await asked(engine, in_advance=True)
    await visitor
    engine.expected = True  # the visitor goes on speaking
    with pytest.raises(EngineFull, match="visitor"):
        await asked(engine, in_advance=True)
    assert await asked(engine) == USUAL
    engine.expected = False
    assert await asked(engine, in_advance=True) == USUAL
    assert (engine.slowed, engine.refused) == (1, 2)
