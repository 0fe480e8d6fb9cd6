"""ElevenLabs' streaming speech. ElevenLabs API reference: `POST /v1/text-to-speech/{voice}/stream`, raw PCM."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ConfigError
from appliance.terms.units import Pcm

from .openai import samples
from .provider import Unable
from .wire import Wire

URL = "https://api.elevenlabs.io/v1"
RATE = 24_000
FORMAT = f"pcm_{RATE}"


class ElevenLabs(Unable):
    """Synthesis only."""

    rate = RATE

    def __init__(self, config: CloudProvider) -> None:
        """Raises ConfigError."""
        if not config.voice:
            raise ConfigError([f"cloud.providers, {config.name}: elevenlabs needs a voice (its id)"])
        super().__init__(config, Wire(config, URL, "xi-api-key"))

    async def synthesise(self, text: str) -> AsyncGenerator[Pcm | Usage, None]:
        path = f"/text-to-speech/{quote(self.config.voice, safe='')}/stream?output_format={FORMAT}"
        body = {"text": text, "model_id": self.config.tts}
        async with self.wire.post(path, json=body) as response, aclosing(samples(response)) as pieces:
            async for piece in pieces:
                yield piece
        yield Usage(characters=len(text))
