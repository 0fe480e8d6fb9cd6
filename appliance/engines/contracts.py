"""What the flow asks of an engine, whoever it is: ours in a worker process, or a provider's.

Every call raises EngineError (EngineDown, EngineLate, EngineFull) and nothing else. Leaving an iteration early, or
cancelling the task that awaits, cancels the work.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from appliance.terms.meaning import Reader
from appliance.terms.units import Pcm

from .ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was said. `text` is empty where there was no speech."""

    text: str
    audio_s: float
    again: str = ""
    """What was heard with the terms in mind, where the first hearing was in doubt."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said in a conversation, or the instructions it stands on."""

    role: Literal["system", "user", "assistant"]
    text: str


class Recogniser(Protocol):
    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        """The words in (n,) int16, 16 kHz mono. `partial`: while more is being said; quicker, less sure, and done only
        where no other caller waits for a whole one. `terms`: what is likely to be said."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a message; its text may be empty."""

    text: str
    ends: float | None = None
    """With the first: how likely, 0 to 1, the message that is answered ends where it does; None where nobody knows."""
    source: str = ""
    """Where it was written down, if it is no model's."""


class LanguageModel(Protocol):
    """Holds each call's conversation in its cache: what a request shares with the call's last one costs nothing."""

    def generate(self, call: str, messages: Sequence[Message], *, max_tokens: int) -> AsyncGenerator[Token, None]:
        """The assistant's next message, a token at a time; the first one also tells what it thinks of the last message.
        Where the last message is the assistant's own, it goes on with that.

        Who takes no more for now lets the others have the processor.
        """

    async def prefill(self, call: str, messages: Sequence[Message], *, ended: bool = True) -> None:
        """Read the conversation ahead of the request that will need it; not `ended`: its last message may grow yet."""

    async def weigh(self, call: str, messages: Sequence[Message]) -> float | None:
        """How likely, 0 to 1, the last message ends where it does; None where nobody can tell."""

    async def forget(self, call: str) -> None:
        """The call is over: free its cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A piece of speech, (n,) int16 mono, and when it says what."""

    pcm: Pcm
    words: tuple[tuple[str, int], ...]
    """Each word with the sample of `pcm` at which it has been said, estimated where the engine does not know."""


class Synthesiser(Protocol):
    @property
    def rate(self) -> int:
        """Of the speech it makes, in Hz."""

    def synthesise(self, text: str) -> AsyncGenerator[Sound, None]:
        """Speech for a clause, a sentence at a time."""


class TurnDetector(Protocol):
    async def end_probability(self, pcm: Pcm) -> float:
        """How surely the speaker has finished, 0 to 1, by the sound of (n,) int16, 16 kHz mono."""


class WholeTurn(Protocol):
    """Somebody who answers speech with speech."""

    @property
    def first(self) -> bool:
        """Is it asked before the device's own engines? Else only once these have failed."""

    def respond(self, pcm: Pcm, messages: Sequence[Message]) -> AsyncGenerator[Sound, None]:
        """The reply to (n,) int16, 16 kHz mono, in a conversation that began so, at the synthesiser's rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """One of each: what a conversation works with."""

    stt: Recogniser
    llm: LanguageModel
    tts: Synthesiser
    sense: TurnDetector
    reader: Reader | None = None
    whole: WholeTurn | None = None
    ledger: Ledger = field(default_factory=Ledger)
    """Where each of them was, in this turn."""
