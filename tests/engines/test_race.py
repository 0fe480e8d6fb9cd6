"""Several ways to one answer, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from appliance.bench.warp import LoopClock, warped
from appliance.engines.race import Begun, Race, Runner
from appliance.engines.routing import IF_FAILED
from appliance.terms.errors import EngineDown, EngineError


class Way:
    """Sleeps where a number stands, says what is text, raises what is an error."""

    def __init__(self, *steps: float | str | Exception) -> None:
        self.steps = steps
        self.begun = self.closed = False

    async def answer(self) -> AsyncGenerator[str, None]:
        self.begun = True
        try:
            for step in self.steps:
                match step:
                    case Exception():
                        raise step
                    case str():
                        yield step
                    case _:
                        await asyncio.sleep(step)
        finally:
            self.closed = True


def ran(*ways: tuple[float, Way]) -> tuple[list[str], str, float, list[str]]:
    """What was said, who won, after how long, and who lost."""

    async def run() -> Any:
        clock, lost = LoopClock(), list[str]()
        runners = [Runner(str(i), after, way.answer) for i, (after, way) in enumerate(ways)]

        def note(begun: Begun[str]) -> bool:
            lost.append(begun.runner.name)
            return False

        race = Race(runners, clock, note)
        began = clock.now()
        async with aclosing(race.run()) as answer:
            said = [item async for item in answer]
        took = clock.now() - began
        assert len(asyncio.all_tasks()) == 1, "somebody is still at work"
        assert race.winner is not None
        return said, race.winner.name, round(took, 3), lost

    found: tuple[list[str], str, float, list[str]] = warped(run())
    return found


def test_the_first_useful_answer_goes_on_and_the_other_is_cancelled() -> None:
    slow, quick = Way(1.0, "slow"), Way(0.2, "quick", 0.5, "ly")
    assert ran((0, slow), (0, quick)) == (["quick", "ly"], "1", 0.7, ["0"])
    assert slow.closed


def test_who_is_in_time_needs_no_help() -> None:
    late = Way("never")
    assert ran((0, Way(0.2, "a", "b")), (0.3, late)) == (["a", "b"], "0", 0.2, [])
    assert not late.begun


def test_a_late_one_is_helped_and_may_still_win() -> None:
    assert ran((0, Way(0.4, "a")), (0.3, Way(0.2, "b"))) == (["a"], "0", 0.4, ["1"])
    assert ran((0, Way(0.6, "a")), (0.3, Way(0.2, "b"))) == (["b"], "1", 0.5, ["0"])


def test_a_failure_starts_the_next_at_once() -> None:
    broken = Way(0.1, EngineDown("x"))
    assert ran((0, broken), (5.0, Way(0.1, "b")), (IF_FAILED, Way("c")))[:3] == (["b"], "1", 0.2)
    assert ran((0, broken), (IF_FAILED, Way(0.1, "c")))[:3] == (["c"], "1", 0.2)
    assert ran((0, broken), (0, Way(0.1, EngineDown("y"))), (IF_FAILED, Way(0.1, "c")))[:3] == (["c"], "2", 0.2)


def test_where_all_fail_the_last_error_is_told() -> None:
    with pytest.raises(EngineError, match="y"):
        ran((0, Way(EngineDown("x"))), (0, Way(0.1, EngineDown("y"))))


def test_silence_is_an_answer() -> None:
    assert ran((0, Way(0.1)), (1.0, Way("b")))[:3] == ([], "0", 0.1)


def test_a_failure_in_the_middle_is_the_answers_end() -> None:
    with pytest.raises(EngineError, match="x"):
        ran((0, Way("a", 0.1, EngineDown("x"))), (0.5, Way("b")))


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.35])
def test_who_leaves_early_leaves_nobody_at_work(after_s: float) -> None:
    ways = [Way(0.1, "a", 0.1, "b", 0.1, "c"), Way(0.4, "x")]

    async def run() -> None:
        race = Race([Runner(str(i), 0.0, way.answer) for i, way in enumerate(ways)], LoopClock())

        async def listen() -> None:
            async with aclosing(race.run()) as answer:
                async for _ in answer:
                    pass

        task = asyncio.create_task(listen())
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})
        assert len(asyncio.all_tasks()) == 1

    warped(run())
    assert all(way.closed for way in ways if way.begun)


def test_a_bug_is_no_failure_of_an_engine() -> None:
    with pytest.raises(ZeroDivisionError):
        ran((0, Way(ZeroDivisionError())), (0, Way(1.0, "a")))
