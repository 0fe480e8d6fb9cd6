"""What a provider can be asked, whatever its protocol. Each raises ProviderError and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from appliance.engines.contracts import Message
from appliance.engines.purse import Usage
from appliance.terms.config import CloudProvider
from appliance.terms.errors import ProviderError
from appliance.terms.units import Pcm

from .wire import Wire

GO_ON = "Go on with your last message exactly where it stops. Repeat nothing of it."


class Provider(Protocol):
    config: CloudProvider

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str | Usage, None]:
        """The next message, in pieces, and what it used; the last message may be the assistant's own, to go on with."""

    def transcribe(self, pcm: Pcm, *, language: str) -> AsyncGenerator[str | Usage, None]:
        """The words in (n,) int16, 16 kHz mono, in one piece, and what it used."""

    def synthesise(self, text: str) -> AsyncGenerator[Pcm | Usage, None]:
        """Speech, (n,) int16 mono at `rate`, in pieces, and what it used."""

    def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[str | Pcm | Usage, None]:
        """Speech, (n,) int16 mono at `rate`, that answers (n,) int16, 16 kHz mono, and the words of it, in pieces."""

    @property
    def rate(self) -> int:
        """Of its speech, in Hz."""


class Unable:
    """A provider that can do nothing: each kind overrides what it can."""

    rate = 0

    def __init__(self, config: CloudProvider, wire: Wire) -> None:
        self.config = config
        self.wire = wire

    async def generate(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[str | Usage, None]:
        raise self._cannot("language model")
        yield ""

    async def transcribe(self, pcm: Pcm, *, language: str) -> AsyncGenerator[str | Usage, None]:
        raise self._cannot("recognition")
        yield ""

    async def synthesise(self, text: str) -> AsyncGenerator[Pcm | Usage, None]:
        raise self._cannot("synthesis")
        yield Usage()

    async def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[str | Pcm | Usage, None]:
        raise self._cannot("whole turns")
        yield ""

    def _cannot(self, what: str) -> ProviderError:
        return ProviderError(f"{self.config.name} ({self.config.kind}) has no {what}", unreachable=True)


def stages(config: CloudProvider) -> set[str]:
    """What it does: that for which a model is named."""
    return {stage for stage in ("stt", "llm", "tts", "turn") if getattr(config, stage)}


def conversation(messages: Sequence[Message]) -> list[dict[str, str]]:
    """As the protocols take it; a message of the assistant's own at the end becomes a request to go on with it."""
    told = [{"role": m.role, "content": m.text} for m in messages]
    return [*told, {"role": "user", "content": GO_ON}] if messages[-1].role == "assistant" else told


def read(messages: Sequence[Message]) -> int:
    """How many tokens that is, where the provider does not say."""
    return sum(len(m.text) for m in messages) // 4
