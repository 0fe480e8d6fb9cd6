"""Providers as the device uses them: who they are, what they have cost, and whether they answer when asked."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from appliance.engines.cloud.anthropic import Anthropic
from appliance.engines.cloud.deepgram import Deepgram
from appliance.engines.cloud.elevenlabs import ElevenLabs
from appliance.engines.cloud.openai import OpenAi
from appliance.engines.cloud.provider import Unable, stages
from appliance.engines.contracts import Engines, Message
from appliance.engines.gate import Gate
from appliance.engines.purse import Purse
from appliance.engines.routed import routed
from appliance.engines.routes import Routes, Standing
from appliance.store.background import Background
from appliance.terms.clock import Clock
from appliance.terms.config import CloudProvider, Config
from appliance.terms.errors import ConfigError, DeviceError, ProviderError
from appliance.terms.events import ProviderChanged
from appliance.terms.units import CAPTURE_RATE

from .engines import EngineRoom

log = logging.getLogger(__name__)

KINDS: dict[str, Callable[[CloudProvider], Unable]] = {
    "openai": OpenAi,
    "anthropic": Anthropic,
    "deepgram": Deepgram,
    "elevenlabs": ElevenLabs,
}
CAN = {"openai": {"stt", "llm", "tts", "turn"}, "anthropic": {"llm"}, "deepgram": {"stt"}, "elevenlabs": {"tts"}}
SPENT = "cloud-spent.json"
PROBE_WITHIN_S = 15.0


class Cloud:
    """The device's providers, and the routes to them."""

    def __init__(
        self, config: Config, room: EngineRoom, state: Path, clock: Clock, emit: Callable[[ProviderChanged], None]
    ) -> None:
        """Raises ConfigError."""
        self._file = state / SPENT
        self._background = Background()
        self._providers = providers(config)
        self._purse = Purse(config.cloud.spend_hour, config.cloud.spend_day, self._kept())
        workers = {worker.name: worker for worker in room.workers}
        self.routes = Routes(
            room.engines,
            self._providers,
            config.cloud,
            budget_s=config.turns.budget_ms / 1000,
            language="" if config.stt.language == "auto" else config.stt.language,
            clock=clock,
            standing=lambda stage: Standing(works=workers[stage].is_ready, waiting=workers[stage].waiting),
            emit=emit,
            purse=self._purse,
            spent=lambda: self._background.do(partial(self._keep, json.dumps(self._purse.spent))),
        )

    def engines(self, door: str) -> Engines:
        """Those of one call, by this door."""
        return routed(self.routes, door)

    def start(self) -> None:
        self._background.start()

    async def stop(self) -> None:
        await self.routes.close()
        await asyncio.gather(*(provider.wire.close() for provider in self._providers))
        await asyncio.to_thread(self._background.stop)

    def about(self, ts: str) -> dict[str, object]:
        """For the device's state. `ts`: RFC 3339, UTC."""
        spent = {"spent_hour": self._purse.spent_in(ts[:13]), "spent_day": self._purse.spent_in(ts[:10])}
        return {**{key: round(value, 4) for key, value in spent.items()}, "providers": self.routes.status()}

    def _kept(self) -> dict[str, float]:
        try:
            return {str(key): float(value) for key, value in json.loads(self._file.read_bytes()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.error("%s cannot be read: what was spent before is forgotten: %s", self._file, error)
            return {}

    def _keep(self, text: str) -> None:
        part = self._file.with_suffix(".part")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, self._file)
        except OSError as error:
            raise DeviceError(f"{self._file} cannot be written: {error.strerror}") from error


def providers(config: Config) -> list[Unable]:
    """Raises ConfigError with every problem."""
    problems, found = list[str](), list[Unable]()
    names = [provider.name for provider in config.cloud.providers]
    problems += [f"cloud.providers: two are named {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    for one in config.cloud.providers:
        try:
            if not stages(one):
                raise ConfigError(
                    [f"cloud.providers, {one.name}: name a model for stt, llm or tts, or it does nothing"]
                )
            if beyond := sorted(stages(one) - CAN[one.kind]):
                raise ConfigError([f"cloud.providers, {one.name}: {one.kind} does no {', '.join(beyond)}"])
            found.append(KINDS[one.kind](one))
        except ConfigError as error:
            problems += error.problems
    try:
        Gate(config.cloud.allow, config.cloud.allow_by)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems, mend="Correct these; nothing was started.")
    return found


def open_cloud(
    config: Config, room: EngineRoom, state: Path, clock: Clock, emit: Callable[[ProviderChanged], None]
) -> Cloud | None:
    """None where there is no provider: then nothing is between a call and the device's engines. Raises ConfigError."""
    return Cloud(config, room, state, clock, emit) if config.cloud.providers else None


async def probe(one: CloudProvider) -> dict[str, str]:
    """Each stage of a provider, tried with one tiny request, and why it failed; empty where it did not. Raises
    ConfigError."""
    provider = KINDS[one.kind](one)
    asks: dict[str, Callable[[], AsyncGenerator[Any, None]]] = {
        "stt": lambda: provider.transcribe(np.zeros(CAPTURE_RATE // 2, np.int16), language=""),
        "llm": lambda: provider.generate([Message("user", "Say yes.")], max_tokens=8),
        "tts": lambda: provider.synthesise("Yes."),
        "turn": lambda: provider.respond(np.zeros(CAPTURE_RATE // 2, np.int16), [Message("system", "Say yes.")]),
    }
    found: dict[str, str] = {}
    try:
        for stage in sorted(stages(one)):
            try:
                async with asyncio.timeout(PROBE_WITHIN_S), aclosing(asks[stage]()) as answer:
                    async for _ in answer:
                        pass
                found[stage] = ""
            except ProviderError as error:
                found[stage] = str(error)
            except TimeoutError:
                found[stage] = f"no answer within {PROBE_WITHIN_S:.0f} s"
    finally:
        await provider.wire.close()
    return found
