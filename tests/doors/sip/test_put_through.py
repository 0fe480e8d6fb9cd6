"""A caller asks for somebody, by voice: a running device, real models, real telephones."""

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
from appliance.dsp import soundfile
from appliance.engines.local.piper import Piper
from appliance.terms.units import Pcm
from appliance.workers.mailbox import Request

from .conftest import telephone
from .peers import baresip, certificate

pytestmark = pytest.mark.model

RATE = 8000
UNTIL_GREETED_S = 5.0
ONCE_MORE_AFTER_S = 14.0
TIMES = 6
INTRODUCED_S = 1.5
ACCOUNT = "<sip:caller@127.0.0.1>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1"


async def until(met: Callable[[], object], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110 - a telephone has no event for that
            await asyncio.sleep(0.05)


def voiced_s(phone: Telephone) -> float:
    return len(phone.voiced) * 0.02


@pytest.fixture
def question(models: Path, tmp_path: Path) -> Path:
    """What the caller's telephone plays: the greeting's time, the question, and the question again and again."""
    piper = Piper(str(next((models / "en_US-joe-medium").glob("*.onnx"))))
    words = "Can you put me through to the accounts department?"
    request = Request(id=1, op="synthesise", deadline=0.0, arguments={"text": words}, data=b"")
    pcm: Pcm = np.concatenate([np.frombuffer(data, np.int16) for _, data in piper._handle(request)])
    rate = int(piper.facts["rate"])
    soundfile.write(tmp_path / "said.wav", pcm, rate)
    said = soundfile.read(tmp_path / "said.wav", rate=RATE)
    wait, pause = (np.zeros(int(seconds * RATE), np.int16) for seconds in (UNTIL_GREETED_S, ONCE_MORE_AFTER_S))
    soundfile.write(tmp_path / "caller.wav", np.concatenate([wait, *TIMES * (said, pause)]), RATE)
    return tmp_path / "caller.wav"


@asynccontextmanager
async def asking(tmp_path: Path, question: Path, third: Telephone) -> AsyncIterator[None]:
    """A caller who hears the greeting and asks for the third, for as long as the block goes on."""
    certificate(tmp_path)
    port = free_port()
    environ = {
        "XDG_STATE_HOME": str(tmp_path),
        "FRONTDESK_LLM__REQUANTISE": "off",
        "FRONTDESK_SIP__ENABLED": "true",
        "FRONTDESK_SIP__LISTEN": f"127.0.0.1:{port}",
        "FRONTDESK_SIP__DIAL": '["*@*"]',
        "FRONTDESK_ACTIONS__PEOPLE": f'[{{name = "Accounts", phone = "{third.uri}"}}]',
    }
    async with running(environ), baresip(tmp_path, free_port(), question, ACCOUNT) as caller:
        caller.tell("dial", f"sip:frontdesk@127.0.0.1:{port}")
        yield


async def test_who_asks_for_somebody_is_introduced_and_handed_on(tmp_path: Path, question: Path) -> None:
    async with telephone(user="third") as third, asking(tmp_path, question, third):
        await until(third.called.is_set)
        await until(lambda: voiced_s(third) > INTRODUCED_S)
        await until(lambda: third.quiet_for() > 1.0)
        introduced_s = voiced_s(third)
        await until(lambda: voiced_s(third) > introduced_s + 1.0)  # the caller, whom they are talking with now
