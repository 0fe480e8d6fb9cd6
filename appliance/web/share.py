"""The device's engines for other devices, by OpenAI's protocol: this one is then their provider.

OpenAI API reference: `POST /v1/chat/completions`, `/v1/audio/transcriptions`, `/v1/audio/speech`, `GET /v1/models`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from appliance.dsp import soundfile
from appliance.dsp.resample import Resampler
from appliance.engines.contracts import Engines, Message, Token
from appliance.terms.errors import BadInput, EngineError, EngineFull

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SPEECH_RATE = 24_000
"""Of `pcm` speech, by the reference."""
MOST_TOKENS = 512
MOST_MESSAGES = 100
MOST_TEXT = 20_000
MOST_SPEECH = 4096
MOST_SOUND_S = 60.0
MOST_FILE = 3_000_000
"""Bytes: a minute of 16 kHz, and the form about it."""
ROLES = ("system", "user", "assistant")


@dataclass(slots=True)
class Slot:
    """A place in the language model's cache, and whose instructions it has."""

    name: str
    instructions: str = ""
    busy: bool = False
    used: float = 0.0


class Share:
    """`only` lets in who has the token. Our own callers have the same engines: others are served `at_once` at most."""

    def __init__(
        self,
        engines: Callable[[], Engines],
        models: Mapping[str, str],
        only: Callable[[Handler], Handler],
        at_once: int,
    ) -> None:
        self._engines = engines
        self._models = models
        self._only = only
        self._slots = [Slot(f"share-{number}") for number in range(at_once)]
        self._free = at_once

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/models", self._only(self._list)),
            web.post("/v1/chat/completions", self._only(self._told(self._chat))),
            web.post("/v1/audio/transcriptions", self._only(self._told(self._transcribe))),
            web.post("/v1/audio/speech", self._only(self._told(self._speak))),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        models = [{"id": name, "object": "model", "owned_by": "frontdesk"} for name in self._models.values()]
        return web.json_response({"object": "list", "data": models})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        messages = _messages(body)
        most = body.get("max_completion_tokens", body.get("max_tokens", 128))
        if not isinstance(most, int) or not 1 <= most <= MOST_TOKENS:
            raise BadInput(f"max_tokens must be a number from 1 to {MOST_TOKENS}")
        slot = self._slot(messages[0].text if messages[0].role == "system" else "")
        try:
            tokens = self._engines().llm.generate(slot.name, messages, max_tokens=most)
            async with aclosing(tokens):
                if body.get("stream"):
                    return await self._stream(request, body, messages, tokens)
                text = "".join([token.text async for token in tokens])
        finally:
            slot.busy, slot.used = False, time.monotonic()
        return web.json_response(self._said(text, messages))

    async def _stream(
        self, request: web.Request, body: dict[str, Any], messages: list[Message], tokens: AsyncGenerator[Token, None]
    ) -> web.StreamResponse:
        first = await anext(tokens, None)  # a failure before it is still a status
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        about = self._about("chat.completion.chunk")

        async def send(delta: dict[str, str], reason: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            await response.write(f"data: {json.dumps({**about, 'choices': [choice]})}\n\n".encode())

        count = 0
        await send({"role": "assistant", "content": ""})
        while first is not None:
            count += 1
            await send({"content": first.text})
            first = await anext(tokens, None)
        await send({}, "stop")
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            usage = {**about, "choices": [], "usage": _usage(messages, count)}
            await response.write(f"data: {json.dumps(usage)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.clone(client_max_size=MOST_FILE).post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise BadInput("`file` is missing: a sound file")
        pcm = await asyncio.to_thread(lambda: soundfile.decode(file.file.read(), max_s=MOST_SOUND_S))
        text = (await self._engines().stt.transcribe(pcm)).text
        if form.get("response_format") == "text":
            return web.Response(text=text)
        return web.json_response({"text": text})

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        text = body.get("input")
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MOST_SPEECH:
            raise BadInput(f"`input` must be text of at most {MOST_SPEECH} characters")
        if body.get("response_format", "mp3") != "pcm":
            raise BadInput("`response_format` must be `pcm`: this device makes no other")
        tts = self._engines().tts
        resampler = Resampler(tts.rate, SPEECH_RATE)
        async with aclosing(tts.synthesise(text)) as sounds:
            first = await anext(sounds, None)
            response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
            await response.prepare(request)
            while first is not None:
                await response.write(resampler.feed(first.pcm).astype("<i2").tobytes())
                first = await anext(sounds, None)
        await response.write(resampler.finish().astype("<i2").tobytes())
        return response

    def _slot(self, instructions: str) -> Slot:
        """A free place, that of the same instructions if there is one: they are read already. Raises EngineFull."""
        free = [slot for slot in self._slots if not slot.busy]
        if not free:
            raise EngineFull("This device computes for others already.")
        slot = min(free, key=lambda slot: (slot.instructions != instructions, slot.used))
        slot.busy, slot.instructions = True, instructions
        return slot

    def _told(self, handler: Handler) -> Handler:
        """The handler, for so many at once, with its refusals in OpenAI's form."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._free:
                return _refused(429, "rate_limit_exceeded", "This device computes for others already.")
            self._free -= 1
            try:
                return await handler(request)
            except BadInput as error:
                return _refused(400, "invalid_request_error", str(error))
            except EngineFull as error:
                return _refused(429, "rate_limit_exceeded", str(error))
            except EngineError as error:
                return _refused(503, "server_error", str(error))
            finally:
                self._free += 1

        return handle

    def _about(self, kind: str) -> dict[str, Any]:
        name = f"chatcmpl-{secrets.token_hex(8)}"
        return {"id": name, "object": kind, "created": int(time.time()), "model": self._models["llm"]}

    def _said(self, text: str, messages: list[Message]) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {**self._about("chat.completion"), "choices": [choice], "usage": _usage(messages, len(text) // 4)}


def _usage(messages: list[Message], said: int) -> dict[str, int]:
    """Of what is read an estimate: nobody pays for it."""
    read = sum(len(m.text) for m in messages) // 4
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise BadInput("the body is no JSON") from None
    if not isinstance(body, dict):
        raise BadInput("the body must be a JSON object")
    return body


def _messages(body: dict[str, Any]) -> list[Message]:
    found = body.get("messages")
    if not isinstance(found, list) or not 0 < len(found) <= MOST_MESSAGES:
        raise BadInput(f"`messages` must be a list of at most {MOST_MESSAGES}")
    messages = []
    for number, one in enumerate(found):
        if not isinstance(one, dict) or one.get("role") not in ROLES or not isinstance(one.get("content"), str):
            raise BadInput(f"messages[{number}] must have a role ({', '.join(ROLES)}) and text as its content")
        messages.append(Message(one["role"], one["content"]))
    if sum(len(m.text) for m in messages) > MOST_TEXT:
        raise BadInput(f"the messages are longer than {MOST_TEXT} characters")
    return messages


def _refused(status: int, code: str, message: str) -> web.Response:
    error = {"message": message, "type": code, "code": code, "param": None}
    return web.json_response({"error": error}, status=status)
