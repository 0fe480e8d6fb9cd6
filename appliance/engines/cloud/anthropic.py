"""Anthropic's messages. Anthropic API reference: `POST /v1/messages`, streamed; the instructions are cached there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError

from .provider import Unable, conversation
from .wire import Wire, code, events

URL = "https://api.anthropic.com/v1"
VERSION = {"anthropic-version": "2023-06-01"}


class Anthropic(Unable):
    """Language models only."""

    def __init__(self, config: CloudProvider) -> None:
        """Raises ConfigError."""
        super().__init__(config, Wire(config, URL, "x-api-key"))

    async def generate(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str | Usage, None]:
        system = "\n\n".join(m.text for m in messages if m.role == "system")
        body = {
            "model": self.config.llm,
            "max_tokens": max_tokens,
            "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
            "messages": conversation([m for m in messages if m.role != "system"]),
            "stream": True,
        }
        read = wrote = pieces = 0
        finished = False
        async with (
            self.wire.post("/messages", json=body, headers=VERSION) as response,
            aclosing(events(response)) as told,
        ):
            async for event in told:
                match event["type"]:
                    case "content_block_delta" if "text" in event["delta"]:
                        pieces += 1
                        yield str(event["delta"]["text"])
                    case "message_start":
                        read = _read(event["message"]["usage"])
                    case "message_delta":
                        wrote = int(event["usage"]["output_tokens"])
                    case "message_stop":
                        finished = True
                    case "error":
                        raise ProviderError(f"{self.config.name} broke off: {code(event['error'])}")
        if not pieces or not finished:
            raise ProviderError(f"{self.config.name} broke off")
        yield Usage(tokens_in=read, tokens_out=wrote)


def _read(usage: dict[str, Any]) -> int:
    return sum(int(usage.get(f"{kind}input_tokens") or 0) for kind in ("", "cache_creation_", "cache_read_"))
