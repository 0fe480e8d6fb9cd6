"""OpenAI's protocol, and so that of many others: chat completions, transcriptions, speech.

OpenAI API reference: `POST /chat/completions` (streamed), `/audio/transcriptions`, `/audio/speech`. Requests are made
by hand: the official library would cost the device a second at its start, 60 MB, and the way out that we watch.
"""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import aiohttp
import numpy as np

from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError
from appliance.terms.units import CAPTURE_RATE, Pcm

from . import realtime
from .provider import Unable, conversation, read
from .wire import Wire, code, events

URL = "https://api.openai.com/v1"
RATE = 24_000
"""Of `pcm` speech, by the reference."""
PIECE = 9600


class OpenAi(Unable):
    rate = RATE

    def __init__(self, config: CloudProvider) -> None:
        """Raises ConfigError."""
        super().__init__(config, Wire(config, URL, "Authorization", "Bearer"))
        self._longest = "max_completion_tokens" if not config.url or config.url.startswith(URL) else "max_tokens"

    async def generate(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str | Usage, None]:
        body = {
            "model": self.config.llm,
            "messages": conversation(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            self._longest: max_tokens,
        }
        used, pieces, finished = None, 0, ""
        async with self.wire.post("/chat/completions", json=body) as response, aclosing(events(response)) as told:
            async for event in told:
                if "error" in event:
                    raise ProviderError(f"{self.config.name} broke off: {code(event['error'])}")
                for choice in event.get("choices", [])[:1]:
                    finished = choice.get("finish_reason") or finished
                    if text := choice.get("delta", {}).get("content"):
                        pieces += 1
                        yield str(text)
                used = event.get("usage") or used
            if not pieces or not finished or finished == "error":
                raise ProviderError(f"{self.config.name} broke off: {finished or 'without an end'}")
            if used:
                yield Usage(tokens_in=int(used["prompt_tokens"]), tokens_out=int(used["completion_tokens"]))
            else:
                yield Usage(tokens_in=read(messages), tokens_out=pieces)

    async def transcribe(self, pcm: Pcm, *, language: str) -> AsyncGenerator[str | Usage, None]:
        form = aiohttp.FormData()
        form.add_field("file", wav(pcm), filename="speech.wav", content_type="audio/wav")
        form.add_field("model", self.config.stt)
        form.add_field("response_format", "json")
        if language:
            form.add_field("language", language)
        async with self.wire.post("/audio/transcriptions", data=form) as response:
            text = str((await response.json(content_type=None))["text"]).strip()
        yield text
        yield Usage(audio_s=len(pcm) / CAPTURE_RATE)

    async def synthesise(self, text: str) -> AsyncGenerator[Pcm | Usage, None]:
        voice = self.config.voice or "alloy"
        body = {"model": self.config.tts, "input": text, "voice": voice, "response_format": "pcm"}
        async with self.wire.post("/audio/speech", json=body) as response, aclosing(samples(response)) as pieces:
            async for piece in pieces:
                yield piece
        yield Usage(characters=len(text))

    def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[str | Pcm | Usage, None]:
        return realtime.respond(self.wire, self.config, pcm, messages)


async def samples(response: aiohttp.ClientResponse) -> AsyncGenerator[Pcm, None]:
    """A body of little-endian int16, in whole samples."""
    left = b""
    async for data in response.content.iter_chunked(PIECE):
        data = left + data
        whole = len(data) - len(data) % 2
        left = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], np.dtype("<i2"))


def wav(pcm: Pcm) -> bytes:
    """(n,) int16 mono at 16 kHz as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(CAPTURE_RATE)
        out.writeframes(pcm.astype("<i2", copy=False).tobytes())
    return file.getvalue()
