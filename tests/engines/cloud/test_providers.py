"""The providers' protocols: what we send, and what we make of their answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from aiohttp import web
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from appliance.engines.cloud.anthropic import Anthropic
from appliance.engines.cloud.deepgram import Deepgram
from appliance.engines.cloud.elevenlabs import ElevenLabs
from appliance.engines.cloud.openai import OpenAi, wav
from appliance.engines.cloud.provider import GO_ON, Unable
from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ConfigError, ProviderError

from .servers import TONE, golden, playing, serving

T = TypeVar("T")
TALK = [Message("system", "Be brief."), Message("user", "When are you open?")]
SPEECH = np.arange(16_000, dtype=np.int16)
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)


def config(url: str, **about: Any) -> CloudProvider:
    return CloudProvider(name="p", url=url, key_env="TEST_KEY", **about)


async def all_of(provider: Unable, answer: AsyncGenerator[T | Usage, None]) -> tuple[list[T], Usage]:
    items = [item async for item in answer]
    await provider.wire.close()
    assert isinstance(items[-1], Usage)
    return [item for item in items if not isinstance(item, Usage)], items[-1]


async def test_openais_chat() -> None:
    async with playing("openai-chat.sse", "chat_completions") as asked:
        provider = OpenAi(config(asked.url, llm="gpt-5.4-mini"))
        pieces, usage = await all_of(provider, provider.generate(TALK, max_tokens=80))
    assert "".join(pieces) == "We open at eight – café too."
    assert (usage.tokens_in, usage.tokens_out) == (19, 10)
    assert asked.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert asked.bodies[0] == {
        "model": "gpt-5.4-mini",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When are you open?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 80,
    }


async def test_anthropics_messages() -> None:
    async with playing("anthropic-messages.sse", "messages") as asked:
        provider = Anthropic(config(asked.url, kind="anthropic", llm="claude-haiku-4-5"))
        talk = [*TALK, Message("assistant", "We open at")]
        pieces, usage = await all_of(provider, provider.generate(talk, max_tokens=80))
    assert "".join(pieces) == "We open at eight – café too."
    assert (usage.tokens_in, usage.tokens_out) == (325, 15)
    assert asked.headers[0]["x-api-key"] == KEY
    assert asked.headers[0]["anthropic-version"] == "2023-06-01"
    body = asked.bodies[0]
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"], "nobody may go on with its own words"
    assert body["messages"][-1]["content"] == GO_ON
    assert (body["max_tokens"], body["stream"]) == (80, True)


async def test_an_error_in_the_middle_of_anthropics_stream() -> None:
    async def answer(request: web.Request) -> web.Response:
        data = (
            b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'
        )
        return web.Response(body=data, content_type="text/event-stream")

    async with serving(messages=answer) as url:
        provider = Anthropic(config(url, kind="anthropic", llm="x"))
        with pytest.raises(ProviderError, match="overloaded_error"):
            await all_of(provider, provider.generate(TALK, max_tokens=8))
        await provider.wire.close()


async def test_openais_transcription_gets_a_wav_file() -> None:
    got: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        got.update({name: form[name] for name in form if name != "file"}, sound=file.file.read())
        return web.json_response({"text": " When are you open? ", "usage": {"type": "duration", "seconds": 1}})

    async with serving(audio_transcriptions=answer) as url:
        provider = OpenAi(config(url, stt="whisper-1"))
        pieces, usage = await all_of(provider, provider.transcribe(SPEECH, language="en"))
    assert (pieces, usage.audio_s) == (["When are you open?"], 1.0)
    assert got == {"model": "whisper-1", "response_format": "json", "language": "en", "sound": wav(SPEECH)}


@pytest.mark.parametrize("kind", ["openai", "elevenlabs"])
async def test_speech_comes_as_samples(kind: str) -> None:
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.path_qs, await request.json(), dict(request.headers)))
        response = web.StreamResponse()
        await response.prepare(request)
        data = TONE.tobytes()
        for start in range(0, len(data), 4999):  # in the middle of samples
            await response.write(data[start : start + 4999])
        return response

    async with serving(audio_speech=answer, **{"text__to__speech_{voice}_stream": answer}) as url:
        about = {"tts": "model", "voice": "v1"}
        provider: Unable = OpenAi(config(url, **about))
        if kind == "elevenlabs":
            provider = ElevenLabs(config(url, kind="elevenlabs", **about))
        pieces, usage = await all_of(provider, provider.synthesise("Good morning."))
    assert np.array_equal(np.concatenate(pieces), TONE)
    assert (provider.rate, usage.characters) == (24_000, 13)
    ((path, body, headers),) = asked
    if kind == "openai":
        assert body == {"model": "model", "input": "Good morning.", "voice": "v1", "response_format": "pcm"}
    else:
        assert path == "/v1/text-to-speech/v1/stream?output_format=pcm_24000"
        assert (body, headers["xi-api-key"]) == ({"text": "Good morning.", "model_id": "model"}, KEY)


async def test_deepgrams_streaming() -> None:
    got: dict[str, Any] = {"sound": b""}

    async def answer(request: web.Request) -> web.WebSocketResponse:
        got.update(request.query, key=request.headers["Authorization"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if isinstance(message.data, bytes):
                got["sound"] += message.data
            else:
                assert json.loads(message.data) == {"type": "CloseStream"}
                for line in golden("deepgram-listen.jsonl").decode().splitlines():
                    await socket.send_str(line)
                break
        return socket

    async with serving(listen=answer) as url:
        provider = Deepgram(config(url, kind="deepgram", stt="nova-3"))
        pieces, usage = await all_of(provider, provider.transcribe(SPEECH, language="en"))
    assert (pieces, usage.audio_s) == (["When are you open?"], 1.0)
    assert got["sound"] == SPEECH.tobytes()
    assert (got["key"], got["model"], got["encoding"], got["sample_rate"]) == (
        f"Token {KEY}",
        "nova-3",
        "linear16",
        "16000",
    )


async def test_realtime_answers_speech_with_speech() -> None:
    """What we send, by the schema of OpenAI's own library."""
    got: list[Any] = []
    client_event = TypeAdapter(RealtimeClientEvent)

    async def answer(request: web.Request) -> web.WebSocketResponse:
        got.append((request.query["model"], request.headers["Authorization"]))
        socket = web.WebSocketResponse(max_msg_size=10_000_000)
        await socket.prepare(request)
        async for message in socket:
            got.append(client_event.validate_json(message.data))
            if got[-1].type == "response.create":
                break
        ids = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0, "event_id": "e"}
        for piece in ("We open", " at eight."):
            await socket.send_json({"type": "response.output_audio_transcript.delta", "delta": piece, **ids})
            sound = base64.b64encode(TONE[:4800].tobytes()).decode()
            await socket.send_json({"type": "response.output_audio.delta", "delta": sound, **ids})
        usage = {"input_tokens": 30, "output_tokens": 70, "total_tokens": 100}
        response = {"id": "r", "object": "realtime.response", "status": "completed", "usage": usage}
        await socket.send_json({"type": "response.done", "event_id": "e", "response": response})
        return socket

    async with serving(realtime=answer) as url:
        provider = OpenAi(config(url, turn="gpt-realtime", voice="marin"))
        talk = [TALK[0], Message("user", "Hello."), Message("assistant", "Good morning.")]
        pieces, usage = await all_of(provider, provider.respond(SPEECH, talk))
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "We open at eight."
    assert sum(len(piece) for piece in pieces if isinstance(piece, np.ndarray)) == 9600
    assert (usage.tokens_in, usage.tokens_out) == (30, 70)
    assert got[0] == ("gpt-realtime", f"Bearer {KEY}")
    session = got[1].session
    assert (session.instructions, session.audio.input.turn_detection) == ("Be brief.", None)
    assert [event.item.role for event in got[2:4]] == ["user", "assistant"]
    assert [event.type for event in got[4:]] == [
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "response.create",
    ]
    assert abs(len(base64.b64decode(got[4].audio)) / 2 / 24_000 - 1.0) < 0.01


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "invalid_request_error", "code": None, "message": "my name is Anna"}},
        {"type": "response.done", "response": {"status": "failed"}},
        {"type": "response.output_audio.delta", "delta": "no base64!"},
        {"no": "type"},
    ],
)
async def test_what_goes_wrong_in_a_whole_turn_is_the_providers_error(event: dict[str, Any]) -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=10_000_000)
        await socket.prepare(request)
        await socket.send_json(event)
        await socket.receive()
        return socket

    async with serving(realtime=answer) as url:
        provider = OpenAi(config(url, turn="gpt-realtime"))
        with pytest.raises(ProviderError) as caught:
            await all_of(provider, provider.respond(SPEECH, TALK))
        await provider.wire.close()
    assert "Anna" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "unreachable"),
    [
        (401, b'{"error": {"message": "Incorrect API key"}}', True),
        (404, b"no such model", True),
        (429, b"slow down", False),
        (500, b"", False),
        (403, b'{"error": {"message": "flagged: my name is Anna", "code": 403}}', False),
        (200, b'data: {"error": {"message": "my name is Anna", "code": "overloaded"}}\n\ndata: [DONE]\n\n', False),
        (200, b"data: [DONE]\n\n", False),
        (200, b'data: {"choices": [{"delta": {"content": "We"}, "finish_reason": null}]}\n\n', False),
        (200, b"data: {rubbish\n\n", False),
        (200, b"data: [1]\n\n", False),
        (200, b'data: {"choices": [{"delta": null}]}\n\n', False),
        (200, b'data: {"choices": [], "usage": {"prompt_tokens": "x", "completion_tokens": 1}}\n\n', False),
        (200, b"data: " + b"x" * 500_000, False),
        (200, b"data: \xff\xfe\n\n", False),
    ],
)
async def test_refusals_and_nonsense_are_errors_of_the_provider(status: int, body: bytes, unreachable: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    async with serving(chat_completions=answer) as url:
        provider = OpenAi(config(url, llm="x"))
        with pytest.raises(ProviderError) as caught:
            await all_of(provider, provider.generate(TALK, max_tokens=8))
        await provider.wire.close()
    assert caught.value.unreachable == unreachable
    assert KEY not in str(caught.value)
    assert "Anna" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1", "https://127.0.0.1:9/v1"])
async def test_who_is_not_there_is_told_as_such(url: str) -> None:
    provider = OpenAi(config(url, llm="x"))
    with pytest.raises(ProviderError, match="cannot be reached") as caught:
        await all_of(provider, provider.generate(TALK, max_tokens=8))
    await provider.wire.close()
    assert caught.value.unreachable


async def test_a_server_without_tls_is_no_https_server() -> None:
    async with playing("openai-chat.sse", "chat_completions") as asked:
        provider = OpenAi(config(asked.url.replace("http:", "https:"), llm="x"))
        with pytest.raises(ProviderError):
            await all_of(provider, provider.generate(TALK, max_tokens=8))
        await provider.wire.close()
    assert not asked.bodies


async def test_what_a_provider_does_not_do_it_says() -> None:
    provider = Deepgram(CloudProvider(name="p", kind="deepgram", stt="x"))
    for answer in (provider.generate(TALK, max_tokens=8), provider.synthesise("Yes.")):
        with pytest.raises(ProviderError, match=r"p \(deepgram\) has no"):
            await anext(answer)


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(ConfigError, match="the environment has no TEST_KEY"):
        OpenAi(config("http://x/v1"))
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="may be read by others"):
        OpenAi(CloudProvider(name="p", key_file=str(file)))
    file.chmod(0o600)
    assert KEY not in repr(OpenAi(CloudProvider(name="p", key_file=str(file))).config)
    with pytest.raises(ConfigError, match="cannot be read"):
        OpenAi(CloudProvider(name="p", key_file=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match="http://"):
        OpenAi(CloudProvider(name="p", url="ftp://x"))
