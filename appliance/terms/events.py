"""Everything that happens, as facts.

Conversations, engines and doors emit these; telemetry, pages and tests listen. Times named `_ms` are milliseconds;
`stages` and the parts of a turn count from the caller's last speech frame (zero), negative = hidden in speech.
`as_json` gives the form that leaves the process.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any, Literal


class State(StrEnum):
    """What a call is doing: one word, the same on every page."""

    WAITING = "waiting"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    call: str
    door: str
    resumed: bool = False
    """The caller was lost, and is back."""
    caller: str = ""
    """Who is at the other end, as far as the door knows: a number, `user@host`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    call: str
    door: str
    reason: str
    duration_s: float
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlaced:
    """A call of ours gets on: `dialling`, `ringing`, `answered`, or it came to nothing: `busy`, `declined`,
    `no answer`, `failed`. Once it is answered, it starts as any other. Where a machine answers: `voicemail`, and at the
    end `message left`."""

    call: str
    door: str
    to: str
    progress: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused:
    """Somebody called and was not answered."""

    door: str
    caller: str
    why: str
    """`busy`, `closed`, `denied`, `anonymous`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed:
    """The caller pressed a key of the phone."""

    call: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTaken:
    """The caller left a message, and has heard it read back."""

    call: str
    door: str
    to: str
    """For whom; empty where they did not say."""
    text: str
    name: str
    number: str
    """Digits, with a leading `+` where it was said; empty where they did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorArrived:
    """Somebody has come to see somebody."""

    call: str
    door: str
    host: str
    """Empty where they could not say."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerForgotten:
    """The caller has asked that nothing is remembered of them."""

    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUsed:
    """One of the owner's tools did what a caller wanted, or could not (`why`)."""

    call: str
    tool: str
    done: bool
    took_ms: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTransferred:
    """The caller was handed on, or could not be (`why`)."""

    call: str
    to: str
    done: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged:
    """An account of the phone is registered, or no longer."""

    account: str
    registered: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBanned:
    """An address knocked too often: nothing that comes from it is read for a while."""

    source: str
    banned: int
    """How many addresses are banned now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskChanged:
    """What the kiosk does: `idle`, a call's state, or `offline`, and why: `starting`, `microphone.missing`,
    `microphone.silent`, `loudspeaker.missing`, `engine`, `closed`, `no_library`; `tap.stuck` in any of them."""

    state: str
    why: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundDeviceChanged:
    """The kiosk's `microphone` or `loudspeaker` works, or no longer."""

    device: Literal["microphone", "loudspeaker"]
    works: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    call: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Words as they are said, by the `caller` or the `agent`.

    The caller's replaces the turn's earlier one (empty text takes it back), and of its words the first `settled` will
    hardly change any more; the agent's is one clause of the reply, told as it begins to play for `duration_ms`. Turn 0
    is the greeting.
    """

    call: str
    turn: int
    who: Literal["caller", "agent"]
    text: str
    stable: bool = True
    settled: int = 0
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHeard:
    """The caller interrupted: this much of the reply was heard."""

    call: str
    turn: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The caller spoke over the agent, who fell silent, and went on where it was no interruption (`meant`).

    `text` is what was said, where that had to be looked at; `silent_ms`: from the first sound of it to the silence.
    """

    call: str
    turn: int
    meant: bool
    text: str
    silent_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FillerSpoken:
    """The reply is late; a filler was begun instead, or an apology for a reply that will not come."""

    call: str
    turn: int
    text: str
    apology: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChanged:
    """A worker became ready, died or was given up for now."""

    engine: str
    ready: bool
    restarts: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where each stage was computed: `local`, or a provider's name."""

    stt: str = "local"
    llm: str = "local"
    tts: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Something left the device."""

    stage: str
    provider: str
    kind: Literal["text", "audio"]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChanged:
    """A provider is used no more for a while, or is again."""

    provider: str
    usable: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The line's quality as the door measures it, over the last two seconds where it is no sum; null what it cannot."""

    rtt_ms: float | None = None
    jitter_ms: float | None = None
    loss_in: float | None = None
    """The share of the caller's packets that did not come, 0 to 1."""
    loss_out: float | None = None
    buffer_ms: float | None = None
    """How long a missing packet is waited for."""
    concealed_ms: float | None = None
    """How much of the caller's sound was made up or recovered, of the whole call."""
    bitrate: float | None = None
    """Bits a second that the caller sends, without headers."""
    bitrate_out: float | None = None
    lost: int | None = None
    """Packets of the whole call, as the next ones."""
    recovered: int | None = None
    late: int | None = None
    refused: int | None = None
    """Forged, replayed, foreign, unreadable or too many."""
    path: str | None = None
    """The kinds of both ends' addresses: `host/host`, `relay/srflx`."""
    mouth_to_ear_ms: float | None = None
    """Estimated, from the caller's mouth to our recogniser: half the round trip, a packet, and its unevenness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMeasured:
    """The line as it is now, every two seconds, for whoever looks at the call."""

    call: str
    network: Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """One turn, whole (the design's turn event). The five parts sum to `e2a_ms`, which is null without a reply."""

    call: str
    door: str
    turn: int
    ts: str
    """When it ended, RFC 3339, UTC."""
    spoke_ts: str
    """When the caller's last speech frame came: the zero of its times."""
    transcript: str | None
    reply: str | None
    source: str | None
    """Where the owner wrote what was replied, `prices.md:12`; null where it was computed, or the language model's."""
    interrupted: bool
    e2a_ms: float | None
    endpoint_ms: float | None
    stt_ms: float | None
    llm_ms: float | None
    tts_ms: float | None
    playout_ms: float | None
    filler_ms: float | None
    stages: dict[str, Span]
    speculated: str
    speculations: int
    hidden_ms: float
    wasted_tokens: int
    barge_in_ms: float | None
    """How long it took until an interrupted reply was silent."""
    murmurs: int
    """Sounds over the reply that were no interruption."""
    cut_in: bool
    """The caller went on as soon as the reply began: it came too early."""
    stt_audio_s: float
    llm_tokens: int
    llm_tok_s: float | None
    route: Route
    why: str | None
    """Why not all of it was computed here."""
    egress: tuple[Egress, ...]
    """What left the device for it, to be computed elsewhere."""
    predicted_ms: dict[str, float]
    """When each stage's first result was expected of the device, after it was asked."""
    wasted_hedges: int
    """Requests to providers whose answers were not needed."""
    network: Network | None


Event = (
    CallStarted
    | CallEnded
    | StateChanged
    | Caption
    | ReplyHeard
    | Overlap
    | FillerSpoken
    | EngineChanged
    | TurnEnded
    | NetworkMeasured
    | CallPlaced
    | CallRefused
    | CallTransferred
    | KeyPressed
    | MessageTaken
    | VisitorArrived
    | CallerForgotten
    | ToolUsed
    | AccountChanged
    | ProviderChanged
    | SourceBanned
    | KioskChanged
    | SoundDeviceChanged
)

NAMES: dict[type, str] = {
    CallStarted: "call.started",
    CallEnded: "call.ended",
    StateChanged: "state",
    Caption: "caption",
    ReplyHeard: "heard",
    Overlap: "overlap",
    FillerSpoken: "filler",
    EngineChanged: "engine",
    TurnEnded: "turn",
    NetworkMeasured: "network",
    CallPlaced: "call.placed",
    CallRefused: "call.refused",
    CallTransferred: "call.transferred",
    KeyPressed: "key",
    MessageTaken: "message",
    VisitorArrived: "visitor",
    CallerForgotten: "forgotten",
    ToolUsed: "tool",
    AccountChanged: "account",
    ProviderChanged: "provider",
    SourceBanned: "banned",
    KioskChanged: "kiosk",
    SoundDeviceChanged: "sound",
}


WORDS = ("transcript", "reply", "caller", "to", "text", "key", "name", "number", "host")
"""Fields that hold what was said, by whom, and which keys were pressed."""


def as_json(event: Event, *, words: bool = True) -> dict[str, Any]:
    """The event as plain JSON values, with its `type`; without `words`, whatever holds some is null."""
    values: dict[str, Any] = {"type": NAMES[type(event)], **_plain(event)}
    return values if words else {key: None if key in WORDS else value for key, value in values.items()}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
