"""A device that computes for others: by OpenAI's own library, and by another device's routes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import numpy as np
import openai
import pytest

from appliance.app.places import state_dir
from appliance.bench.device import Device, running
from appliance.bench.utterances import Utterance
from appliance.bench.words import word_errors
from appliance.dsp import soundfile
from appliance.dsp.resample import Resampler
from appliance.engines.cloud.openai import OpenAi
from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError

pytestmark = pytest.mark.model
FACTS = "You are a receptionist. The wifi password is blue seagull 42. The manager is Maria Lopez."


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, str]]:
    """A device that shares its engines with two at once, and the token for it."""
    state = tmp_path_factory.mktemp("state")
    with asyncio.Runner() as runner:
        kept = state_dir({}) / "tuning.json"
        (state / "frontdesk").mkdir()
        if kept.exists():
            (state / "frontdesk" / "tuning.json").write_bytes(kept.read_bytes())
        starting = running({"FRONTDESK_HTTP__SHARE": "2", "XDG_STATE_HOME": str(state)})
        device = runner.run(starting.__aenter__())
        yield device, (state / "frontdesk" / "share-token").read_text().strip()
        runner.run(starting.__aexit__(None, None, None))


def client(helper: tuple[Device, str], key: str = "") -> openai.AsyncOpenAI:
    device, token = helper
    return openai.AsyncOpenAI(base_url=f"{device.url}v1", api_key=key or token, max_retries=0)


async def test_openais_library_talks_listens_and_speaks(
    helper: tuple[Device, str], utterances: dict[str, Utterance], tmp_path: Path
) -> None:
    async with client(helper) as known:
        assert "qwen2.5-0.5b" in [model.id async for model in known.models.list()]
        talk = [{"role": "system", "content": FACTS}, {"role": "user", "content": "What is the wifi password?"}]
        whole = await known.chat.completions.create(model="x", messages=talk, max_tokens=40)  # type: ignore[arg-type]
        assert "blue seagull 42" in (whole.choices[0].message.content or "")
        stream = await known.chat.completions.create(  # type: ignore[call-overload]
            model="x", messages=talk, max_tokens=40, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage.completion_tokens > 3
        question = utterances["parking"]
        heard = await known.audio.transcriptions.create(model="x", file=question.file)
        wrong, words = word_errors(question.text, heard.text)
        assert wrong <= 0.2 * words
        async with known.audio.speech.with_streaming_response.create(
            model="x", voice="alloy", input=question.text, response_format="pcm"
        ) as response:
            pcm = np.frombuffer(await response.read(), "<i2")
        soundfile.write(tmp_path / "said.wav", pcm, 24_000)
        again = await known.audio.transcriptions.create(model="x", file=tmp_path / "said.wav")
        wrong, words = word_errors(question.text, again.text)
        assert wrong <= 0.2 * words


async def test_another_device_is_its_provider(helper: tuple[Device, str], tmp_path: Path) -> None:
    device, token = helper
    (tmp_path / "key").write_text(token)
    (tmp_path / "key").chmod(0o600)
    config = CloudProvider(
        name="bigger", url=f"{device.url}v1", key_file=str(tmp_path / "key"), stt="x", llm="x", tts="x"
    )
    provider = OpenAi(config)
    talk = [Message("system", FACTS), Message("user", "Who is the manager?")]
    said = [item async for item in provider.generate(talk, max_tokens=40)]
    assert "Maria Lopez" in "".join(piece for piece in said if isinstance(piece, str))
    pcm = np.concatenate([p async for p in provider.synthesise("Where can I park my car?") if not isinstance(p, Usage)])
    at_16k = Resampler(provider.rate, 16_000).feed(pcm)
    heard = [item async for item in provider.transcribe(at_16k, language="en")]
    assert word_errors("Where can I park my car?", str(heard[0]))[0] <= 1
    await provider.wire.close()


async def test_without_the_token_nobody_is_served(helper: tuple[Device, str]) -> None:
    async with client(helper, "wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    device, token = helper
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        response = await session.get(f"{device.url}api/calls")
        assert response.status == 401, "the token opens nothing else"


async def test_more_than_the_owner_allows_are_told_to_wait(helper: tuple[Device, str]) -> None:
    async with client(helper) as known:
        talk = [{"role": "user", "content": "Count from one to fifty."}]

        async def ask() -> str:
            try:
                await known.chat.completions.create(model="x", messages=talk, max_tokens=60)  # type: ignore[arg-type]
            except openai.RateLimitError:
                return "wait"
            return "served"

        answers = await asyncio.gather(*(ask() for _ in range(4)))
        assert sorted(answers) == ["served", "served", "wait", "wait"]
        assert await ask() == "served"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {}),
        ("chat/completions", {"messages": []}),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": ["x"]}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": "x" * 30_000}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 10**9}),
        ("chat/completions", [1]),
        ("audio/speech", {"input": "", "response_format": "pcm"}),
        ("audio/speech", {"input": "x"}),
        ("audio/transcriptions", {"file": "x"}),
    ],
)
async def test_what_makes_no_sense_is_refused(helper: tuple[Device, str], path: str, body: object) -> None:
    device, token = helper
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        response = await session.post(f"{device.url}v1/{path}", json=body)
        assert response.status == 400
        assert (await response.json())["error"]["message"]


async def test_a_provider_that_has_no_time_is_one_that_failed(helper: tuple[Device, str]) -> None:
    device, _ = helper
    provider = OpenAi(CloudProvider(name="bigger", url=f"{device.url}v1", llm="x"))
    with pytest.raises(ProviderError) as caught:
        _ = [item async for item in provider.generate([Message("user", "Hello.")], max_tokens=8)]
    await provider.wire.close()
    assert caught.value.unreachable, "without a key the next request would fail as well"
