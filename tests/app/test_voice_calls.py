"""Callers who want something done, by voice: a running device, real models, real WebRTC, a real webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from appliance.bench.caller import Caller
from appliance.bench.device import running
from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.engines.local.piper import Piper
from appliance.web.owner import token
from appliance.workers.mailbox import Request

pytestmark = pytest.mark.model

Say = Callable[[str], Utterance]


@pytest.fixture
def say(models: Path, tmp_path: Path) -> Say:
    """Words as an utterance, in the only voice there is."""
    piper = Piper(str(next((models / "en_US-joe-medium").glob("*.onnx"))))

    def spoken(words: str) -> Utterance:
        request = Request(id=1, op="synthesise", deadline=0.0, arguments={"text": words}, data=b"")
        pcm = np.concatenate([np.frombuffer(data, np.int16) for _, data in piper._handle(request)])
        file = tmp_path / f"{abs(hash(words))}.wav"
        soundfile.write(file, pcm, piper.facts["rate"])
        return Utterance(id=words, file=file, text=words, group="question", expect=())

    return spoken


async def messages(url: str, state: Path) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token(state)}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{url}api/messages") as response:
        assert response.status == 200
        listed: list[dict[str, Any]] = (await response.json())["messages"]
        return listed


async def test_a_message_is_left_read_back_and_kept_and_after_a_goodbye_the_line_is_free(
    tmp_path: Path, say: Say
) -> None:
    state = tmp_path / "frontdesk"
    async with running({"XDG_STATE_HOME": str(tmp_path), "FRONTDESK_LLM__REQUANTISE": "off"}) as device:
        caller = Caller(device.url)
        await caller.connect()
        await caller.hear_greeting()
        replies = []
        for words in (
            "Can I leave a message for the manager?",
            "The heating on the second floor is broken.",
            "What is the Wi-Fi password?",
            "My name is Peter Miller.",
            "My number is five five five, one two three four.",
            "Could you say that again, please?",
            "Yes, that is correct.",
            "Thank you very much. Goodbye.",
        ):
            asked = await caller.ask(say(words))
            replies.append(asked.turn["reply"])
        await caller.until_ended(10.0)
        await asyncio.sleep(0.5)
        (kept,) = await messages(device.url, state)
        await caller.close()
    assert "pass on to the manager" in replies[0]
    assert "seagull" in replies[2].lower()
    assert replies[2].endswith("May I have your name, please?")
    assert replies[-1] == "Thank you for calling. Goodbye."
    assert "heating" in kept["text"].lower()
    assert (kept["to"], kept["name"], kept["number"]) == ("the manager", "Peter Miller", "5551234")


@asynccontextmanager
async def diary(asked: list[dict[str, Any]]) -> AsyncIterator[str]:
    """The owner's own program, which takes its time."""

    async def book(request: web.Request) -> web.Response:
        asked.append(await request.json())
        await asyncio.sleep(1.2)
        return web.json_response({"say": "You are booked. See you then."})

    app = web.Application()
    app.router.add_post("/book", book)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/book"
    finally:
        await runner.cleanup()


async def test_a_visit_is_booked_by_the_owners_tool_and_a_visitor_is_announced(tmp_path: Path, say: Say) -> None:
    asked: list[dict[str, Any]] = []
    async with diary(asked) as url:
        ask = '[{name = "date", kind = "date", say = "For which day?"}, {name = "time", kind = "time", say = "When?"}]'
        tool = f'{{name = "book_visit", url = "{url}", when = ["I would like to book a visit."], ask = {ask}}}'
        environ = {
            "XDG_STATE_HOME": str(tmp_path),
            "FRONTDESK_LLM__REQUANTISE": "off",
            "FRONTDESK_ACTIONS__TOOLS": f"[{tool}]",
            "FRONTDESK_ACTIONS__PEOPLE": '[{name = "Maria Lopez"}]',
        }
        async with running(environ) as device:
            caller = Caller(device.url)
            await caller.connect()
            await caller.hear_greeting()
            replies = []
            for words in (
                "I would like to book a visit.",
                "On the third of April.",
                "At half past three.",
                "No, make it four o'clock.",
                "Yes, that is correct.",
                "I am here to see Maria Lopez.",
                "My name is Peter Miller.",
            ):
                turn = await caller.ask(say(words))
                if words.startswith("No,") and "four" not in str(turn.turn["reply"]).lower():
                    turn = await caller.ask(say("No, at four o'clock."))  # misheard now and then: people say it again
                replies.append(turn.turn["reply"])
            await asyncio.sleep(0.5)
            (kept,) = await messages(device.url, tmp_path / "frontdesk")
            await caller.close()
    assert replies[0] == "For which day?"
    assert "April" in replies[2]
    assert replies[4].endswith("You are booked. See you then.")
    (told,) = asked
    assert told["arguments"]["date"].endswith("-04-03")
    assert told["arguments"]["time"] == "16:00"
    assert told["door"] == "webrtc"
    assert (kept["kind"], kept["to"], kept["name"]) == ("visitor", "Maria Lopez", "Peter Miller")
