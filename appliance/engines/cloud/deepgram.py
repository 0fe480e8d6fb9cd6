"""Deepgram's streaming transcription. Deepgram API reference: `wss …/v1/listen`, linear16, ended by `CloseStream`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from urllib.parse import urlencode

from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .provider import Unable
from .wire import Wire, code, texts

URL = "https://api.deepgram.com/v1"
PIECE = CAPTURE_RATE // 5
"""Samples in one message: 200 ms."""


class Deepgram(Unable):
    """Recognition only."""

    def __init__(self, config: CloudProvider) -> None:
        """Raises ConfigError."""
        super().__init__(config, Wire(config, URL, "Authorization", "Token"))

    async def transcribe(self, pcm: Pcm, *, language: str) -> AsyncGenerator[str | Usage, None]:
        about = {
            "model": self.config.stt,
            "encoding": "linear16",
            "sample_rate": CAPTURE_RATE,
            "channels": 1,
            "smart_format": "true",
            **({"language": language} if language else {}),
        }
        words: list[str] = []
        async with self.wire.socket(f"/listen?{urlencode(about)}") as socket:
            for start in range(0, len(pcm), PIECE):
                await socket.send_bytes(pcm[start : start + PIECE].astype("<i2", copy=False).tobytes())
            await socket.send_str(json.dumps({"type": "CloseStream"}))
            async for event in texts(socket):
                if event["type"] == "Results" and event["is_final"]:
                    words.append(event["channel"]["alternatives"][0]["transcript"])
                elif event["type"] == "Metadata":
                    break
                elif event["type"] == "Error":
                    raise ProviderError(f"{self.config.name} broke off: {code(event)}")
            else:
                if socket.close_code not in (1000, None):
                    raise ProviderError(f"{self.config.name} closed the connection: {socket.close_code}")
        yield " ".join(word for word in words if word)
        yield Usage(audio_s=len(pcm) / CAPTURE_RATE)
