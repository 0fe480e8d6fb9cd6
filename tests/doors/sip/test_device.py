"""The whole device on the phone: real models, real SIP, and what its owner sees of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from appliance.app.places import state_dir
from appliance.bench.device import Device, running
from appliance.bench.switchboard import free_port, tone
from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.web.owner import token

from .conftest import telephone

pytestmark = [pytest.mark.model]


@pytest.fixture
async def desk() -> AsyncIterator[tuple[Device, int]]:
    """A device, and the port of its phone."""
    port = free_port()
    settings = {"ENABLED": "true", "LISTEN": f"127.0.0.1:{port}", "TRUSTED": '["127.0.0.1"]', "DIAL": '["*@*"]'}
    async with running({f"FRONTDESK_SIP__{key}": value for key, value in settings.items()}) as device:
        yield device, port


async def until(done: object, within_s: float = 15.0) -> None:
    assert callable(done)
    async with asyncio.timeout(within_s):
        while not done():  # noqa: ASYNC110 - packets come without an event of ours
            await asyncio.sleep(0.02)


async def test_a_caller_is_greeted_and_answered(desk: tuple[Device, int], utterances: dict[str, Utterance]) -> None:
    device, port = desk
    async with telephone() as caller:
        await caller.call(f"sip:desk@127.0.0.1:{port}")
        await until(lambda: caller.voiced and caller.quiet_for() > 1.0)
        caller.say(soundfile.read(utterances["parking"].file, rate=8000))
        await until(lambda: not caller.speaking)
        said = caller.last_voiced
        await until(lambda: caller.after(said))
        await until(lambda: caller.quiet_for() > 1.0)
        caller.press("7")
        await asyncio.sleep(0.3)
    headers = {"Authorization": f"Bearer {token(state_dir(os.environ))}"}
    async with aiohttp.ClientSession(device.url, headers=headers) as session:
        await asyncio.sleep(1.0)  # the call is ending
        (call,) = (await (await session.get("/api/calls")).json())["calls"]
        whole = await (await session.get(f"/api/calls/{call['call']}")).json()
        metrics = await (await session.get("/metrics")).text()
    assert (call["door"], call["keys"], call["turns"]) == ("sip", "7", 1)
    assert call["caller"].startswith("tester@127.0.0.1")
    (turn,) = whole["turn_events"]
    assert utterances["parking"].right(turn["reply"])
    parts = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")
    assert sum(turn[part] for part in parts) == pytest.approx(turn["e2a_ms"], abs=1)
    assert 'frontdesk_calls_total{door="sip",reason="hangup"} 1.0' in metrics


async def test_frontdesk_dial_calls_somebody_and_follows_the_call(desk: tuple[Device, int]) -> None:
    device, _ = desk
    async with telephone() as callee:
        environ = {**os.environ, "FRONTDESK_HTTP__PORT": str(urlsplit(device.url).port)}
        command = (
            sys.executable,
            "-m",
            "appliance.app.cli",
            "dial",
            callee.uri,
            "--say",
            "Your taxi is here.",
            "--json",
        )
        dialling = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
        await asyncio.wait_for(callee.called.wait(), 10)
        callee.say(tone(0.1, 8000))
        await until(lambda: callee.voiced and callee.quiet_for() > 1.0)
        await callee.hang_up()
        output, _ = await asyncio.wait_for(dialling.communicate(), 10)
    assert dialling.returncode == 0
    assert "answered" in output.decode()
    assert json.loads(output.decode().splitlines()[-1])["reason"] == "hangup"
    assert len(callee.voiced) > 20
