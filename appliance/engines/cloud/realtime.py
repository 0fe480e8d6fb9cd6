"""OpenAI's Realtime API: a whole turn, from speech to speech, over a WebSocket of its own.

OpenAI API reference, Realtime: `session.update`, `conversation.item.create`, `input_audio_buffer.append` and `.commit`,
`response.create`; `response.output_audio.delta` and `response.output_audio_transcript.delta` come back. The turn's end
is ours to find: its own detection is off.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from appliance.dsp.resample import Resampler
from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .wire import Wire, code, texts

RATE = 24_000
FORMAT = {"type": "audio/pcm", "rate": RATE}


async def respond(
    wire: Wire, config: CloudProvider, pcm: Pcm, messages: Sequence[Message]
) -> AsyncGenerator[str | Pcm | Usage, None]:
    """The reply's sound at `RATE`, and its words, as they come; what it used at the end. Raises ProviderError."""
    async with wire.socket(f"/realtime?model={quote(config.turn, safe='')}") as socket:
        for event in asking(config, pcm, messages):
            await socket.send_str(json.dumps(event))
        async for event in texts(socket):
            match event["type"]:
                case "response.output_audio.delta":
                    yield np.frombuffer(base64.b64decode(event["delta"]), np.dtype("<i2"))
                case "response.output_audio_transcript.delta":
                    yield str(event["delta"])
                case "error":
                    raise ProviderError(f"{config.name} broke off: {code(event['error'])}")
                case "response.done":
                    yield _used(config, event["response"])
                    return
        raise ProviderError(f"{config.name} closed the connection: {socket.close_code}")


def asking(config: CloudProvider, pcm: Pcm, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The events that ask for a reply to (n,) int16, 16 kHz mono."""
    voice = {"voice": config.voice} if config.voice else {}
    session = {
        "type": "realtime",
        "instructions": "\n\n".join(m.text for m in messages if m.role == "system"),
        "output_modalities": ["audio"],
        "audio": {"input": {"format": FORMAT, "turn_detection": None}, "output": {"format": FORMAT, **voice}},
    }
    resampler = Resampler(CAPTURE_RATE, RATE)
    sound = np.concatenate([resampler.feed(pcm), resampler.finish()]).astype("<i2").tobytes()
    return [
        {"type": "session.update", "session": session},
        *({"type": "conversation.item.create", "item": _item(m)} for m in messages if m.role != "system"),
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(sound).decode()},
        {"type": "input_audio_buffer.commit"},
        {"type": "response.create"},
    ]


def _item(message: Message) -> dict[str, Any]:
    kind = "input_text" if message.role == "user" else "output_text"
    return {"type": "message", "role": message.role, "content": [{"type": kind, "text": message.text}]}


def _used(config: CloudProvider, response: dict[str, Any]) -> Usage:
    if response["status"] not in ("completed", "incomplete"):
        raise ProviderError(f"{config.name}: the response was {response['status']}")
    usage = response.get("usage") or {}
    return Usage(tokens_in=int(usage.get("input_tokens") or 0), tokens_out=int(usage.get("output_tokens") or 0))
