"""Workers as real processes, with an engine that only echoes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.terms.errors import EngineDown, EngineError, EngineFull, EngineLate
from appliance.terms.events import EngineChanged
from appliance.workers import supervisor
from appliance.workers.supervisor import SILENT_S, Worker
from appliance.workers.wire import Message

ECHO = "tests.workers.echo_engine:Echo"
READY_S = 20.0


@asynccontextmanager
async def echo(max_pending: int = 16, **options: Any) -> AsyncIterator[tuple[Worker, list[EngineChanged]]]:
    events: list[EngineChanged] = []
    worker = Worker("echo", ECHO, options, emit=events.append, max_pending=max_pending)
    await worker.start()
    try:
        yield worker, events
    finally:
        await worker.stop()


async def answers(worker: Worker, op: str, data: bytes = b"", deadline_s: float = 10.0, **arguments: Any) -> list[Any]:
    async with aclosing(worker.stream(op, arguments, data, deadline_s=deadline_s)) as parts:
        return [(dict(part.meta), part.data) async for part in parts]


def checked(test: Callable[[], Awaitable[None]]) -> None:
    """Run it, and see that no task outlives it."""

    async def run() -> None:
        await test()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_requests_are_answered_in_parts_with_their_bytes() -> None:
    async def test() -> None:
        async with echo(greeting="hello") as (worker, events):
            await worker.wait_ready(READY_S)
            assert worker.facts["greeting"] == "hello"
            got = await answers(worker, "say", b"\x00\xff" * 50_000, text="é", parts=3)
            assert got == [({"text": "é", "part": i}, b"\x00\xff" * 50_000) for i in range(3)]
            many = await asyncio.gather(*(answers(worker, "say", text=str(i)) for i in range(10)))
            assert [parts[0][0]["text"] for parts in many] == [str(i) for i in range(10)]
            assert [(event.ready, event.restarts) for event in events] == [(True, 0)]

    checked(test)


def test_a_killed_worker_is_restarted_and_the_request_that_died_with_it_sent_once_more() -> None:
    async def test() -> None:
        async with echo() as (worker, events):
            await worker.wait_ready(READY_S)
            before = (await answers(worker, "pid"))[0][0]["pid"]
            slow = asyncio.create_task(answers(worker, "say", text="still here", wait_s=0.5))
            await asyncio.sleep(0.2)
            os.kill(before, signal.SIGKILL)
            assert (await slow)[0][0]["text"] == "still here"
            assert (await answers(worker, "pid"))[0][0]["pid"] != before
            assert worker.restarts == 1
            assert [event.ready for event in events] == [True, False, True]
            assert "signal 9" in events[1].why or "ended" in events[1].why

    checked(test)


def test_what_an_engine_chose_itself_its_successor_need_not() -> None:
    async def test() -> None:
        async with echo(number=0) as (worker, _):
            await worker.wait_ready(READY_S)
            chosen = worker.facts["number"]
            os.kill(worker.facts["pid"], signal.SIGKILL)
            assert (await answers(worker, "pid"))[0][0]["pid"] != chosen
            assert worker.facts["number"] == chosen

    checked(test)


def test_what_is_more_urgent_overtakes_what_waits(tmp_path: Path) -> None:
    async def test() -> None:
        path = str(tmp_path / "log")
        async with echo() as (worker, _):
            await worker.wait_ready(READY_S)
            busy = asyncio.create_task(answers(worker, "say", text="", wait_s=0.3))
            await asyncio.sleep(0.1)
            jobs = (("a", -1), ("b", 0), ("c", -1), ("d", 0))
            await asyncio.gather(busy, *(answers(worker, "log", path=path, text=t, priority=p) for t, p in jobs))

    checked(test)
    assert (tmp_path / "log").read_text().split() == ["b", "d", "a", "c"]


def test_a_frozen_worker_is_noticed_and_replaced() -> None:
    async def test() -> None:
        async with echo() as (worker, events):
            await worker.wait_ready(READY_S)
            pid = worker.facts["pid"]
            os.kill(pid, signal.SIGSTOP)
            began = asyncio.get_running_loop().time()
            assert (await answers(worker, "say", text="still here"))[0][0]["text"] == "still here"
            assert asyncio.get_running_loop().time() - began < SILENT_S + 2.0
            assert worker.facts["pid"] != pid
            assert "said nothing" in events[1].why

    checked(test)


def test_an_engine_stuck_at_one_step_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STEP_S", 1.0)

    async def test() -> None:
        async with echo() as (worker, events):
            await worker.wait_ready(READY_S)
            steady = await answers(worker, "say", text="slow but steady", parts=4, wait_s=0.5)
            assert len(steady) == 4
            with pytest.raises(EngineDown):
                await answers(worker, "say", text="stuck", wait_s=60.0, deadline_s=30.0)
            assert "at one step" in events[1].why

    checked(test)


def test_a_worker_out_of_memory_is_replaced() -> None:
    async def test() -> None:
        async with echo() as (worker, events):
            await worker.wait_ready(READY_S)
            resource.prlimit(worker.facts["pid"], resource.RLIMIT_AS, (1, 1))
            assert (await answers(worker, "say", b"x" * 5_000_000, text="large"))[0][0]["text"] == "large"
            assert [event.ready for event in events] == [True, False, True]

    checked(test)


def test_a_request_that_kills_every_worker_is_not_sent_for_ever(tmp_path: Path) -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            with pytest.raises(EngineDown, match="died"):
                await answers(worker, "die")
            assert (await answers(worker, "die", unless=str(tmp_path / "once")))[0][0] == {"survived": True}

    checked(test)


def test_what_was_half_answered_is_not_sent_again() -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            await worker.wait_ready(READY_S)
            with pytest.raises(EngineDown):
                await answers(worker, "die", after=True)
            assert (await answers(worker, "say", text="next"))[0][0]["text"] == "next"

    checked(test)


def test_a_bad_request_fails_alone() -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            with pytest.raises(EngineError, match="unknown operation 'sing'"):
                await answers(worker, "sing")
            assert (await answers(worker, "say", text="fine"))[0][0]["text"] == "fine"
            assert worker.restarts == 0

    checked(test)


def test_a_deadline_is_kept_and_what_is_late_in_the_queue_is_never_started(tmp_path: Path) -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            await worker.wait_ready(READY_S)
            slow = asyncio.create_task(answers(worker, "say", text="slow", wait_s=0.8))
            await asyncio.sleep(0.05)
            log = tmp_path / "log"
            with pytest.raises(EngineLate):
                await answers(worker, "log", path=str(log), text="late", deadline_s=0.2)
            await slow
            await answers(worker, "log", path=str(log), text="in time")
            assert log.read_text() == "in time\n"

    checked(test)


def test_leaving_early_cancels(tmp_path: Path) -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            await worker.wait_ready(READY_S)
            async with aclosing(worker.stream("say", {"text": "x", "parts": 1000, "wait_s": 0.05}, deadline_s=60)) as s:
                first: Message = await anext(s)
            assert first.meta["part"] == 0
            async with asyncio.timeout(5.0):  # 1000 parts would take 50 s
                await answers(worker, "say", text="next")

    checked(test)


def test_too_many_requests_are_refused_and_those_in_flight_are_answered() -> None:
    async def test() -> None:
        async with echo(max_pending=2) as (worker, _):
            await worker.wait_ready(READY_S)
            held = [asyncio.create_task(answers(worker, "say", text="x", wait_s=0.3)) for _ in range(2)]
            await asyncio.sleep(0.1)
            with pytest.raises(EngineFull):
                await answers(worker, "say", text="one too many")
            assert len(await asyncio.gather(*held)) == 2

    checked(test)


def test_nobody_waits_for_a_worker_that_dies_as_often_as_it_starts() -> None:
    async def test() -> None:
        async with echo() as (worker, _):
            await worker.wait_ready(READY_S)
            ended = asyncio.Event()

            async def keep_down() -> None:
                while not ended.is_set():
                    if worker.pid is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker.pid, signal.SIGKILL)
                    await asyncio.sleep(0.02)

            killing = asyncio.create_task(keep_down())
            await asyncio.sleep(0.05)
            began = asyncio.get_running_loop().time()
            with pytest.raises(EngineDown):
                await answers(worker, "pid", deadline_s=30.0)
            assert asyncio.get_running_loop().time() - began < 5
            ended.set()
            await killing
            for _ in range(100):
                if worker.is_ready:
                    break
                await asyncio.sleep(0.1)
            assert await answers(worker, "pid")

    checked(test)


def test_an_engine_that_cannot_start_says_why_at_once() -> None:
    async def test() -> None:
        async with echo(fails="no such model") as (worker, _):
            async with asyncio.timeout(READY_S):
                with pytest.raises(EngineDown, match="no such model"):
                    await worker.wait_ready(60.0)

    checked(test)


def test_stopping_ends_the_process() -> None:
    async def test() -> None:
        async with echo() as (worker, events):
            await worker.wait_ready(READY_S)
            pid = worker.facts["pid"]
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert [event.ready for event in events] == [True]

    checked(test)
