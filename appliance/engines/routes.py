"""The ways to an engine: the device's own, and providers'; shared by all calls.

`Routes` remembers how quick everybody has been, who is worth asking and what it cost, and asks: nothing goes to a
provider but through `Routes.ask`. `Trip` is one call's: it lets those who may answer race.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from appliance.terms.clock import Clock, rfc3339
from appliance.terms.config import CloudConfig, Policy
from appliance.terms.errors import EngineError, ProviderError
from appliance.terms.events import Egress, ProviderChanged

from .breaker import Breaker
from .cloud.provider import Provider, stages
from .contracts import Engines, Message
from .gate import NEEDS, Gate
from .ledger import LOCAL, Ledger
from .purse import Purse, Usage
from .race import Begun, Race, Runner
from .redact import Redaction
from .routing import IF_FAILED, SHARES, Outlook, Plan, plan
from .speed import Speed

T = TypeVar("T")

MOST_LINGERING = 8
LINGER_S = 4.0
"""Who was overtaken is watched for so long."""
SLACK_S = 0.05
LATE_S, LATE_TIMES = 1.0, 3.0
"""A provider that had not answered by then when it was overtaken has failed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an engine of the device stands now."""

    works: bool
    waiting: int


class Routes:
    """The device's. `standing` is asked of each local stage; `emit` told when a provider is given up, or is back."""

    def __init__(
        self,
        local: Engines,
        providers: Sequence[Provider],
        config: CloudConfig,
        *,
        budget_s: float,
        language: str,
        clock: Clock,
        standing: Callable[[str], Standing],
        emit: Callable[[ProviderChanged], None],
        purse: Purse,
        spent: Callable[[], None] = lambda: None,
    ) -> None:
        """`spent` is told when something has cost money. Raises ConfigError where `cloud.allow_by` names what there is
        not."""
        self._spent = spent
        self.local = local
        self.clock = clock
        self.language = language
        self.purse = purse
        self.redacts = config.redact
        self.speeds = {stage: Speed() for stage in NEEDS}
        self.gaps = Speed()
        """Between the device's tokens."""
        self._config = config
        self._budget_s = budget_s
        self._providers = providers
        self._gate = Gate(config.allow, config.allow_by)
        self._breakers = {provider.config.name: Breaker() for provider in providers}
        self._cloud_speeds = {(p.config.name, stage): Speed() for p in providers for stage in stages(p.config)}
        self._standing = standing
        self._emit = emit
        self._lingering: set[asyncio.Task[None]] = set()

    def budget_s(self, stage: str) -> float:
        return self._budget_s * SHARES[stage]

    def policy(self, stage: str) -> Policy:
        config = self._config
        return {"stt": config.stt, "llm": config.llm, "tts": config.tts, "turn": config.turn}[stage]

    def offers(self, stage: str) -> bool:
        """Is there anybody who might be asked, some time?"""
        return self.policy(stage) != "local" and any(stage in stages(provider.config) for provider in self._providers)

    def candidates(self, stage: str, door: str) -> list[Provider]:
        """Who may be asked now, and is worth it; the owner's first choice first."""
        if self.policy(stage) == "local" or not self._gate.may(stage, door):
            return []
        return [p for p in self._providers if stage in stages(p.config) and self._refusal(p) == ""]

    def plan(self, stage: str, candidates: Sequence[Provider]) -> tuple[Plan, Outlook]:
        speed, standing = self.speeds[stage], self._standing(stage)
        outlook = Outlook(works=standing.works, waiting=standing.waiting, usual_s=speed.usual, longest_s=speed.longest)
        cloud_s = self._cloud_speeds[candidates[0].config.name, stage].usual if candidates else None
        found = plan(
            self.policy(stage), outlook, usable=bool(candidates), cloud_s=cloud_s, budget_s=self.budget_s(stage)
        )
        return found, outlook

    async def ask(
        self,
        provider: Provider,
        trip: Trip,
        stage: str,
        size: int,
        answer: AsyncGenerator[T | Usage, None],
        guess: Usage,
    ) -> AsyncGenerator[T, None]:
        """A provider's answer. Here something leaves the device: it is allowed, counted and paid. `guess`: what it
        uses where it is cut off and cannot say. Raises ProviderError."""
        config, breaker = provider.config, self._breakers[provider.config.name]
        if not self._gate.may(stage, trip.ledger.door):
            raise ProviderError(f"cloud.allow: what {stage} needs may not leave the device")
        if why := self._refusal(provider):
            raise ProviderError(f"{config.name} is not asked: {why}")
        began, told, usage = self.clock.now(), False, guess
        breaker.asked(began)
        self.purse.begin(config, began)
        trip.ledger.sent(Egress(stage=stage, provider=config.name, kind=NEEDS[stage], bytes=size))
        try:
            async with aclosing(answer):
                async for item in answer:
                    if isinstance(item, Usage):
                        usage = item
                        continue
                    if not told:
                        told = True
                        self._answered(provider, stage, self.clock.now() - began)
                    yield item
            if not told:  # it has nothing to say: silence, perhaps
                self._answered(provider, stage, self.clock.now() - began)
        except ProviderError as error:
            self._failed(provider, str(error), at_once=error.unreachable)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            took = self.clock.now() - began
            if not told and took > self._late_s(config.name, stage):
                self._failed(provider, f"no answer after {took:.1f} s")
            raise
        finally:
            if self.purse.end(config, usage, rfc3339(self.clock.utc())):
                self._spent()

    def linger(self, stage: str, begun: Begun[T], useful: Callable[[T], bool]) -> bool:
        """The device was overtaken: let it go on until it would have been useful, so that we know when it is quick
        again. A stage measures itself; what was never useful took at least so long."""
        if (so_far := self.clock.now() - begun.at) > self.budget_s(stage):
            self.speeds[stage].took(so_far)  # late already
        return self.keep(self._linger(stage, begun, useful))

    def keep(self, work: Coroutine[Any, Any, None]) -> bool:
        """Let it go on beside the call, where there is room."""
        if len(self._lingering) >= MOST_LINGERING:
            work.close()
            return False
        self._lingering.add(task := asyncio.create_task(work))
        task.add_done_callback(self._lingering.discard)
        return True

    async def see_whether_it_answers(self, stage: str, begun: Begun[Any]) -> None:
        """A provider was overtaken by a quick device: it is no black hole only if it says something all the same."""
        left = begun.at + self._late_s(begun.runner.name, stage) + SLACK_S - self.clock.now()
        with suppress(EngineError, StopAsyncIteration, TimeoutError):
            async with asyncio.timeout(max(0.0, left)), aclosing(begun.answer):
                await begun.first

    def _late_s(self, provider: str, stage: str) -> float:
        """Who has said nothing by then, says nothing."""
        return max(LATE_S, LATE_TIMES * (self._cloud_speeds[provider, stage].usual or 0.0))

    async def _linger(self, stage: str, begun: Begun[T], useful: Callable[[T], bool]) -> None:
        try:
            async with asyncio.timeout(LINGER_S), aclosing(begun.answer):
                item = await begun.first
                while not useful(item):
                    item = await anext(begun.answer)
        except (TimeoutError, EngineError):  # the call's next request may have taken its place
            if (so_far := self.clock.now() - begun.at) > self.budget_s(stage):
                self.speeds[stage].took(so_far)
        except StopAsyncIteration:
            pass  # it had nothing to say

    async def close(self) -> None:
        for task in tuple(self._lingering):
            task.cancel()
        await asyncio.gather(*self._lingering, return_exceptions=True)

    def status(self) -> dict[str, dict[str, object]]:
        """Each provider, for the device's state."""
        now = self.clock.now()
        return {
            name: {"state": str(breaker.state(now)), "why": breaker.why or None}
            for name, breaker in self._breakers.items()
        }

    def _refusal(self, provider: Provider) -> str:
        """Why it is not asked now, or nothing."""
        now, breaker = self.clock.now(), self._breakers[provider.config.name]
        if not breaker.usable(now):
            return breaker.why or "it is being tried"
        return self.purse.refusal(provider.config, now, rfc3339(self.clock.utc()))

    def _answered(self, provider: Provider, stage: str, took: float) -> None:
        name = provider.config.name
        self._cloud_speeds[name, stage].took(took)
        if self._breakers[name].succeeded():
            self._emit(ProviderChanged(provider=name, usable=True, why=""))

    def _failed(self, provider: Provider, why: str, *, at_once: bool = False) -> None:
        name = provider.config.name
        if self._breakers[name].failed(self.clock.now(), why, at_once=at_once):
            self._emit(ProviderChanged(provider=name, usable=False, why=why))


class Trip:
    """One call's way through the routes."""

    def __init__(self, routes: Routes, door: str) -> None:
        self.routes = routes
        self.ledger = Ledger(door)
        self.redaction = Redaction() if routes.redacts else None

    async def race(
        self,
        stage: str,
        local: Callable[[], AsyncGenerator[T, None]],
        remote: Callable[[Provider], AsyncGenerator[T, None]],
        candidates: Sequence[Provider],
        found: Plan,
        useful: Callable[[T], bool],
    ) -> AsyncGenerator[T, None]:
        """The stage's answer by whoever is first. `useful` is shown what the device says, until it says yes. Raises the
        EngineError of the last that failed."""
        routes = self.routes
        runners = [Runner(LOCAL, found.local_s, local)]
        for number, provider in enumerate(candidates if found.cloud_s is not None else ()):
            start = found.cloud_s if number == 0 and found.cloud_s is not None else IF_FAILED
            runners.append(Runner(provider.config.name, start, partial(remote, provider)))

        def lost(begun: Begun[T]) -> bool:
            if begun.runner.name == LOCAL:
                return routes.linger(stage, begun, useful)
            self.ledger.wasted()
            return routes.keep(routes.see_whether_it_answers(stage, begun))

        race = Race(runners, routes.clock, lost)
        async with aclosing(race.run()) as answer:
            async for item in answer:
                name = race.winner.name if race.winner is not None else LOCAL
                self.ledger.went(stage, name, found.why if name != LOCAL else "")
                yield item
        if race.winner is not None:
            self.ledger.went(stage, race.winner.name, found.why if race.winner.name != LOCAL else "")

    def candidates(self, stage: str) -> list[Provider]:
        return self.routes.candidates(stage, self.ledger.door)

    def hide(self, messages: Sequence[Message]) -> list[Message]:
        return list(messages) if self.redaction is None else self.redaction.hide(messages)
