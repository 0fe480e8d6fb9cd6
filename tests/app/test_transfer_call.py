"""A caller asks for somebody, by voice and phone: a running device, real models, real SIP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from appliance.bench.device import running
from appliance.bench.switchboard import free_port
from appliance.bench.telephone import Telephone
from appliance.dsp.resample import Resampler
from appliance.engines.local.piper import Piper
from appliance.terms.units import Pcm
from appliance.workers.mailbox import Request

pytestmark = pytest.mark.model

QUIET_S = 1.2


@asynccontextmanager
async def telephone(user: str) -> AsyncIterator[Telephone]:
    phone = Telephone("127.0.0.1", user=user)
    await phone.open()
    try:
        yield phone
    finally:
        phone.close()


async def until(met: Callable[[], object], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110 - a telephone has no event for that
            await asyncio.sleep(0.05)


@pytest.fixture
def question(models: Path) -> Pcm:
    """ "Could you put me through …", (n,) int16 at 8 kHz."""
    piper = Piper(str(next((models / "en_US-joe-medium").glob("*.onnx"))))
    words = "Could you put me through to the accounts department, please?"
    request = Request(id=1, op="synthesise", deadline=0.0, arguments={"text": words}, data=b"")
    pcm = np.concatenate([np.frombuffer(data, np.int16) for _, data in piper._handle(request)])
    resampler = Resampler(int(piper.facts["rate"]), 8000)
    return np.concatenate([resampler.feed(pcm), resampler.finish()])


@asynccontextmanager
async def asking(tmp_path: Path, question: Pcm, third: Telephone) -> AsyncIterator[Telephone]:
    """A caller who has heard the greeting, and has asked for the third."""
    port = free_port()
    environ = {
        "XDG_STATE_HOME": str(tmp_path),
        "FRONTDESK_LLM__REQUANTISE": "off",
        "FRONTDESK_SIP__ENABLED": "true",
        "FRONTDESK_SIP__LISTEN": f"127.0.0.1:{port}",
        "FRONTDESK_SIP__DIAL": '["*@*"]',
        "FRONTDESK_ACTIONS__PEOPLE": f'[{{name = "Accounts", phone = "{third.uri}"}}]',
    }
    async with running(environ), telephone("caller") as caller:
        await caller.call(f"sip:frontdesk@127.0.0.1:{port}")
        await until(lambda: caller.voiced and caller.quiet_for() > QUIET_S)
        caller.say(question)
        yield caller


async def test_who_asks_for_somebody_is_introduced_and_handed_on(tmp_path: Path, question: Pcm) -> None:
    async with telephone("third") as third, asking(tmp_path, question, third) as caller:
        await until(lambda: third.called.is_set())
        await until(lambda: third.voiced and third.quiet_for() > QUIET_S / 2)
        assert len(third.voiced) * 0.02 > 1.0, "they heard who comes"
        await until(lambda: caller.referred)
        assert third.uri.partition("@")[2] in caller.referred
        await caller.notify(200)
        await until(caller.ended.is_set)


async def test_where_nobody_answers_a_message_is_offered(tmp_path: Path, question: Pcm) -> None:
    async with telephone("third") as third:
        third.picks_up = None
        async with asking(tmp_path, question, third) as caller:
            await until(lambda: third.called.is_set())
            before = len(caller.voiced)
            await third.decline()
            await until(lambda: len(caller.voiced) - before > 75 and caller.quiet_for() > QUIET_S)
            assert not caller.ended.is_set()
