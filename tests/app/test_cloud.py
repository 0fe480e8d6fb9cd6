"""A whole device with a provider: what it computes where, what it tells of that, and what it keeps."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from appliance.app.cloud import SPENT, Cloud, providers
from appliance.app.engines import EngineRoom
from appliance.app.settings import load
from appliance.bench.caller import Caller
from appliance.bench.device import running
from appliance.bench.fault import Fault, FaultProxy, spoiled
from appliance.bench.utterances import Utterance
from appliance.engines.cloud.openai import OpenAi
from appliance.engines.contracts import Message
from appliance.terms.clock import SystemClock
from appliance.terms.config import CloudConfig, CloudProvider, Config
from appliance.terms.errors import ConfigError, ProviderError
from tests.engines.cloud.servers import golden, serving
from tests.telemetry.test_device import state_of_its_own

TALK = [Message("user", "When are you open?")]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """In front of a provider that says what is in the golden file."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in golden("openai-chat.sse").split(b"\n\n"):
            await response.write(event + b"\n\n")
            await asyncio.sleep(0.005)
        return response

    async with serving(chat_completions=answer) as url, spoiled(int(url.split(":")[2].split("/")[0])) as found:
        yield found


def configured(tmp_path: Path, port: int, **cloud: str) -> Path:
    file = tmp_path / "frontdesk.toml"
    settings = "".join(f'{key} = "{value}"\n' for key, value in {"allow": "text", **cloud}.items())
    provider = f'name = "helper"\nurl = "http://127.0.0.1:{port}/v1"\nllm = "x"\nprice_input = 1000.0\n'
    file.write_text(f'[agent]\nanswers = "compose"\n[cloud]\n{settings}\n[[cloud.providers]]\n{provider}')
    return file


@pytest.mark.model
async def test_a_device_that_lives_on_a_provider_and_then_without(
    tmp_path: Path, proxy: FaultProxy, utterances: dict[str, Utterance]
) -> None:
    config = configured(tmp_path, proxy.port, llm="cloud", notice="A service helps me.")
    state = state_of_its_own(tmp_path)
    async with running({"XDG_STATE_HOME": str(tmp_path)}, config=config) as device:
        caller = Caller(device.url)
        await caller.connect()
        try:
            await caller.hear_greeting()
            helped = await caller.ask(utterances["parking"])
            proxy.fault = "black hole"
            alone = await caller.ask(utterances["parking"])
            again = await caller.ask(utterances["wifi"])
        finally:
            await caller.close()
    assert helped.turn["reply"] == "We open at eight – café too."
    assert helped.turn["route"] == {"stt": "local", "llm": "helper", "tts": "local"}
    assert helped.turn["why"] == "llm: cloud"
    (egress,) = helped.turn["egress"]
    assert (egress["provider"], egress["kind"]) == ("helper", "text")
    assert egress["bytes"] > 500
    assert alone.ms is not None
    assert again.right
    assert again.turn["route"]["llm"] == "local"
    spent = json.loads((state / SPENT).read_text())
    assert sum(spent.values()) >= 0.019, "19 tokens, as the provider counts them"


async def said(provider: OpenAi) -> str:
    try:
        pieces = [piece async for piece in provider.generate(TALK, max_tokens=8)]
    finally:
        await provider.wire.close()
    return "".join(piece for piece in pieces if isinstance(piece, str))


@pytest.mark.parametrize("fault", ["status", "cut", "stall", "black hole"])
async def test_each_fault_of_a_provider_is_an_error_in_time(proxy: FaultProxy, fault: Fault) -> None:
    proxy.fault, proxy.after = fault, 350
    began = time.monotonic()
    with pytest.raises(ProviderError):
        await said(helper(proxy))
    assert time.monotonic() - began < 7.0


async def test_what_drips_is_only_slow(proxy: FaultProxy) -> None:
    proxy.fault, proxy.after, proxy.drip_bytes_s = "drip", 350, 2000.0
    assert await said(helper(proxy)) == "We open at eight – café too."


def helper(proxy: FaultProxy) -> OpenAi:
    return OpenAi(CloudProvider(name="p", url=f"http://127.0.0.1:{proxy.port}/v1", llm="x"))


async def test_latency_is_only_later(proxy: FaultProxy) -> None:
    proxy.latency_s = 0.3
    assert await said(helper(proxy)) == "We open at eight – café too."


def test_what_makes_no_sense_is_told_all_at_once(tmp_path: Path) -> None:
    one = CloudProvider(name="one", llm="x", key_env="NO_SUCH_KEY")
    config = replace(
        Config(),
        cloud=CloudConfig(
            providers=[
                one,
                replace(one, key_env="", llm=""),
                CloudProvider(name="two", kind="elevenlabs", tts="x"),
                CloudProvider(name="three", kind="anthropic", stt="x"),
            ],
            allow_by={"lmm": "text"},
        ),
    )
    with pytest.raises(ConfigError) as caught:
        providers(config)
    assert len(caught.value.problems) == 6, caught.value.problems


def test_keys_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "frontdesk.toml"
    file.write_text('[cloud]\n[[cloud.providers]]\nname = "p"\nkey = "sk-123"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert "key" in str(caught.value)


@pytest.mark.model
async def test_what_was_spent_is_remembered_over_a_restart(tmp_path: Path) -> None:
    config = replace(Config(), cloud=CloudConfig(providers=[CloudProvider(name="p", llm="x")]))
    room = EngineRoom(config, "x", tmp_path, lambda event: None)
    hour = SystemClock().utc().isoformat()[:13]
    (tmp_path / SPENT).write_text(json.dumps({hour: 0.75}))
    about = Cloud(config, room, tmp_path, SystemClock(), lambda event: None).about(hour)
    assert (about["spent_hour"], about["spent_day"]) == (0.75, 0.75)
    (tmp_path / SPENT).write_text("rubbish")
    assert Cloud(config, room, tmp_path, SystemClock(), lambda event: None).about(hour)["spent_hour"] == 0


async def test_check_asks_each_provider_once(tmp_path: Path, proxy: FaultProxy) -> None:
    command = [sys.executable, "-m", "appliance.app.cli", "check", "--json", "--config"]
    config = configured(tmp_path, proxy.port)

    async def checked(*more: str) -> list[dict[str, Any]]:
        done = await asyncio.to_thread(
            subprocess.run, [*command, str(config), *more], capture_output=True, text=True, env=os.environ.copy()
        )
        checks: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["checks"]
        return [line for line in checks if line["what"].startswith("provider")]

    assert await checked() == []
    (line,) = await checked("--cloud")
    assert (line["what"], line["good"]) == ("provider helper, llm", True)
    proxy.fault, proxy.status = "status", 401
    (line,) = await checked("--cloud")
    assert not line["good"]
    assert "401" in line["found"]
