"""What the owner can set: the sections and keys of `frontdesk.toml`, with their defaults and bounds.

Plain dataclasses; `app.settings` fills them from the file and the environment and checks the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le, Len

Name = Annotated[str, Len(1, 200)]
Threads = Annotated[int, Ge(0), Le(64)]
"""0: as many as the engine finds best at its first start on this machine."""
Transport = Literal["udp", "tcp", "tls"]
Policy = Literal["local", "error", "lag", "hedge", "cloud"]
Allowed = Literal["none", "text", "audio"]
Command = Literal["restart", "drain", "call", "say", "hangup", "mute", "unmute", "canary", "log", "tap", "presence"]
Encryption = Literal["off", "optional", "mandatory"]
AskKind = Literal["text", "name", "phone", "email", "number", "date", "time", "choice"]
"""What sort of thing a caller is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    host: Name = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65535)] = 8080
    """0 picks a free port, which `frontdesk run` prints."""
    tls: str = ""
    """Empty: none; `self`: a certificate that the device makes and keeps; else the owner's, a PEM file."""
    tls_key: str = ""
    """The key of the owner's certificate; empty where it is in the same file."""
    share: Annotated[int, Ge(0), Le(32)] = 0
    """So many requests at once of other devices, which this one computes for (OpenAI's protocol, under `/v1`); with the
    token in `share-token` of the state folder. 0: none."""
    welcome_port: Annotated[int, Ge(0), Le(65535)] = 8081
    """Where, with `tls = "self"`, a page without TLS explains the browser's warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    dir: str = ""
    """Where the weights lie; empty = beside the manifest of a checkout, else `$XDG_DATA_HOME/frontdesk/models`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SttConfig:
    model: Name = "whisper-tiny.en"
    """A model of `frontdesk models list`, or the path of a folder with a CTranslate2 one."""
    language: Annotated[str, Len(2, 8)] = "en"
    """Whisper's code of a language, or `auto`: heard anew in each turn (a multilingual model only)."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: Threads = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmConfig:
    model: Name = "qwen2.5-0.5b"
    """A model of `frontdesk models list`, or the path of a GGUF file that can chat."""
    gpu_layers: Annotated[int, Ge(-1), Le(1000)] = 0
    """How many of its layers a GPU computes; -1: all."""
    requantise: Literal["auto", "off"] = "auto"
    """Rewrite the weights once, in 4 bits throughout, where that makes the model faster."""
    threads: Threads = 0
    max_tokens: Annotated[int, Ge(8), Le(1024)] = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsConfig:
    voice: Name = "en_US-joe-medium"
    """A model of `frontdesk models list`, or the path of a piper voice's ONNX file (its `.json` beside it)."""
    threads: Threads = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    persona: str = ""
    """A text file that says how the agent speaks; empty = ours."""
    knowledge: str = ""
    """A file or folder (`.md`, `.txt`, `.csv`, `.pdf`) that says what it knows; empty = Harbour House."""
    answers: Literal["quote", "compose"] = "quote"
    """What is known is said in the owner's own sentences, or the language model finds words for it."""
    instant: bool = True
    """How those sentences begin is rendered beforehand, while nobody needs the voice."""
    greeting: str = "Hello, this is {business}. How can I help you?"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesConfig:
    """What callers want passed on."""

    take: bool = True
    """Offer to take a message where the answer is not known, and take one where a caller wants that."""
    remember_days: Annotated[int, Ge(0), Le(3650)] = 0
    """Callers who left their name are known by it when they call again from the same number, for so long; 0: never."""
    webhook: str = ""
    """Each message is sent there as JSON (POST), until it is accepted; empty: nowhere."""
    webhook_token: str = field(default="", repr=False)
    """Sent along as `Authorization: Bearer …`."""
    mail_to: str = ""
    """Each message is sent there by e-mail; empty: to nobody. It needs `smtp`."""
    mail_from: str = ""
    """Empty: the same address."""
    smtp: str = ""
    """The mail server, `host` or `host:port`."""
    smtp_tls: Literal["starttls", "tls", "off"] = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonConfig:
    """Somebody of the house, or a part of it."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: Name
    phone: str = ""
    """Where callers are put through to; `sip.dial` must allow it. Empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskConfig:
    """What must be known before a tool is used."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: Name
    kind: AskKind = "text"
    say: str = ""
    """The question; empty: "What is the …, please?"."""
    choices: Annotated[list[Name], Len(0, 20)] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolConfig:
    """Something that is done for callers by another program."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: Annotated[str, Len(1, 64)]
    url: Name
    kind: Literal["webhook", "mcp"] = "webhook"
    """A POST of JSON, or a tool of that name of an MCP server (streamable HTTP)."""
    when: Annotated[list[Name], Len(1, 20)]
    """What callers say who want it: two to four sentences."""
    ask: Annotated[list[AskConfig], Len(0, 8)] = field(default_factory=list)
    confirm: bool = True
    """What was understood is read back before it is done."""
    say: str = ""
    """Said once it is done, where the program does not say anything itself."""
    token: str = field(default="", repr=False)
    """Sent along as `Authorization: Bearer …`."""
    timeout_s: Annotated[float, Ge(0.5), Le(60)] = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsConfig:
    """What is done for callers, besides answering and taking messages."""

    people: Annotated[list[PersonConfig], Len(0, 200)] = field(default_factory=list)
    """Who can be asked for, and visited."""
    operator: str = ""
    """Whom callers get who want a person, no matter whom; one of `people`."""
    check_in: bool = True
    """Visitors who say that they are here are asked whom they want to see, and it is told as messages are."""
    tools: Annotated[list[ToolConfig], Len(0, 32)] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    calls: Annotated[int, Ge(1), Le(64)] = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsConfig:
    patience: Annotated[float, Ge(0.5), Le(3)] = 1.0
    """How long pauses must be before the agent speaks: 1.5 cuts in more seldom and answers later."""
    max_pause_ms: Annotated[int, Ge(500), Le(5000)] = 1500
    """A pause of this length ends a turn whatever the words and the voice suggest."""
    silence_s: Annotated[float, Ge(0), Le(600)] = 15.0
    """A caller who is silent for so long is asked whether they are there; for as long again, told goodbye. 0: never."""
    speculate: Literal["auto", "off"] = "auto"
    budget_ms: Annotated[int, Ge(200), Le(10_000)] = 1200
    """From the caller's last word to the reply at most: what would take longer, a provider may do (`cloud`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """A STUN server, or a TURN server with either fixed credentials, which stay on the device, or a `secret` from which
    ones are made that last two hours (coturn's `use-auth-secret`); those are given to callers' browsers too."""

    urls: Annotated[list[Name], Len(1, 8)]
    username: str = ""
    credential: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebrtcConfig:
    ice_servers: Annotated[list[IceServer | Name], Len(0, 8)] = field(default_factory=list)
    """STUN and TURN servers, or a STUN server's URL alone; empty = none, nothing outside the network is asked."""
    relay_only: bool = False
    """Calls go through a TURN server, whatever else would do."""
    dscp: Annotated[int, Ge(0), Le(63)] = 46
    """How networks that care are to treat our sound (RFC 8837); 46: first, 0: as everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """One identity at a PBX or a provider."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    user: Name
    domain: Name
    """Where it is registered, with a port where that is not 5060: `pbx.example:5070`."""
    password: str = field(default="", repr=False)
    auth_user: str = ""
    """The name of the digest credentials, where it is not `user`."""
    proxy: str = ""
    """Where requests are sent, where that is not the domain: `sip.provider.example:5061`."""
    transport: Transport = "udp"
    expires: Annotated[int, Ge(0), Le(86400)] = 300
    """How long a registration lasts, in seconds; 0: no registration, a trunk by address."""
    encryption: Encryption = "off"
    persona: str = ""
    """As `agent.persona`, for calls to this account; empty: that of the device, as the next two."""
    knowledge: str = ""
    greeting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipConfig:
    """The phone. Patterns are a number or `user@host`, with `*` for anything."""

    enabled: bool = False
    listen: Name = "127.0.0.1:5060"
    """Address and port; TLS listens on the next port."""
    accounts: Annotated[list[SipAccount], Len(0, 16)] = field(default_factory=list)
    direct: Literal["auto", "on", "off"] = "auto"
    """Take calls to the device's own address; `auto`: where there is no account."""
    password: str = field(default="", repr=False)
    """What direct callers must know (digest, user `frontdesk`); empty: nothing."""
    encryption: Encryption = "off"
    """SRTP of direct calls, agreed on by SDES."""
    codecs: Annotated[list[Literal["opus", "g722", "pcmu", "pcma"]], Len(1, 4)] = field(
        default_factory=lambda: ["opus", "g722", "pcma", "pcmu"]
    )
    """The best first."""
    ring_s: Annotated[float, Ge(0), Le(60)] = 0.0
    hours: str = ""
    """When calls are answered, by the device's clock: `Mo-Fr 08:00-18:00, Sa 09:00-12:00`; empty: always."""
    allow: list[Name] = field(default_factory=list)
    """Who may call; empty: everybody who is not denied."""
    deny: list[Name] = field(default_factory=list)
    anonymous: bool = True
    """Callers who hide their number are answered."""
    overflow: str = ""
    """Where callers are sent (302) who come while it is closed, or whom the device has no line for."""
    dial: list[Name] = field(default_factory=list)
    """What may be called, and where callers may be transferred: numbers at our accounts' domains, or `user@host`;
    empty: nothing."""
    keys: dict[Annotated[str, Len(1, 1)], Name] = field(default_factory=dict)
    """Where a key sends the caller: `"0" = "100"`."""
    tone_keys: bool = False
    """Listen for keys that come as tones in the sound too, where a line sends no events for them."""
    hold_music: str = ""
    """A sound file for who waits while somebody else is called; empty: a soft noise."""
    trusted: list[Name] = field(default_factory=list)
    """Addresses and networks that are never banned: a PBX without an account, a trunk."""
    rtp_ports: str = "16384-16583"
    rtp_timeout_s: Annotated[int, Ge(0), Le(3600)] = 30
    """A call from which nothing comes for so long is over; 0: never."""
    dscp: Annotated[int, Ge(0), Le(63)] = 46
    ca: str = ""
    """The certificates (PEM) that TLS servers are checked against; empty: the system's."""
    certificate: str = ""
    """The device's own, with its key (PEM), for callers over TLS; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskConfig:
    """The device's own microphone, loudspeaker and screen, for who stands in front of it."""

    enabled: bool = False
    wake: Literal["tap", "word", "always", "presence"] = "tap"
    """What begins a conversation, besides a touch of the screen: nothing else, a wake word, anybody who speaks near and
    loud enough, or somebody's presence, told over MQTT or the API."""
    word: Name = "hey_jarvis"
    """The wake word: `hey_jarvis`, `alexa`, `hey_mycroft`, `okay_nabu`, or the path of a microWakeWord model's JSON."""
    microphone: str = ""
    """Its name as `frontdesk check` tells it, a part of that, or a pattern with `*`; empty: the system's choice."""
    loudspeaker: str = ""
    duplex: Literal["full", "half"] = "full"
    """`half`: it does not listen while it speaks, for devices whose echo cannot be taken out."""
    echo_ms: Annotated[int, Ge(0), Le(3000)] = 400
    """With `half`: so long it still sounds what was spoken, in the room, or on its way over Bluetooth."""
    noise: Annotated[int, Ge(0), Le(4)] = 2
    """How hard noise is held down: 0 not at all, 1 to 4 by 6, 12, 18 or 21 dB."""
    near_dbfs: Annotated[float, Ge(-80), Le(0)] = -45.0
    """With `wake = "always"`: speech must be so loud to be meant for the kiosk."""
    leave_s: Annotated[float, Ge(0), Le(600)] = 20.0
    """A visitor who says nothing for so long has left, and is forgotten; 0: never."""
    command: str = ""
    """Started with the kiosk's state (`idle`, `listening`, …) at each change, for lights and displays."""
    language: Name = "en"
    """Of the screen: `en`, `de`, `fr`, or the path of a file with its words."""
    theme: Literal["auto", "light", "dark"] = "auto"
    accent: str = ""
    """The screen's one colour, `#1f5a85`, as the next in its dark theme; empty: ours."""
    accent_dark: str = ""
    logo: str = ""
    """A picture (SVG, PNG, JPEG, WebP) that stands for the business; empty: a bell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudProvider:
    """Somebody who computes for us: a service on the Internet, or a bigger box in the next room. Of the stages it does
    those whose model is named."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: Annotated[str, Len(1, 40)]
    kind: Literal["openai", "anthropic", "deepgram", "elevenlabs"] = "openai"
    """Whose protocol it speaks; `openai`: many others' too (vLLM, llama.cpp, OpenRouter, another Frontdesk)."""
    url: str = ""
    """Where, up to the version: `https://api.openai.com/v1`, `http://192.168.1.20:8000/v1`; empty: the kind's own."""
    key_env: str = ""
    """The environment variable with its key."""
    key_file: str = ""
    """Or the file with it, which nobody else may read."""
    stt: str = ""
    """Its model for recognition; empty: it does not do that, as the next two."""
    llm: str = ""
    tts: str = ""
    turn: str = ""
    """Its model for whole turns, from speech to speech (OpenAI Realtime)."""
    voice: str = ""
    ca: str = ""
    """Certificates (PEM) that its own is checked against; empty: the system's."""
    concurrency: Annotated[int, Ge(1), Le(100)] = 4
    per_minute: Annotated[int, Ge(1), Le(10_000)] = 120
    """So many requests at most."""
    price_input: Annotated[float, Ge(0)] = 0.0
    """For a million tokens it reads, as the next one for those it writes."""
    price_output: Annotated[float, Ge(0)] = 0.0
    price_minute: Annotated[float, Ge(0)] = 0.0
    """For a minute of sound it recognises."""
    price_characters: Annotated[float, Ge(0)] = 0.0
    """For a million characters it speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudConfig:
    """Who helps where the device would be late, and what may leave it for that."""

    allow: Allowed = "none"
    """What may leave the device at most: nothing, text, or text and sound."""
    allow_by: dict[Name, Allowed] = field(default_factory=dict)
    """The same for a stage (`stt`, `llm`, `tts`), a door (`sip`), or both (`sip.llm`); the nearest counts."""
    providers: Annotated[list[CloudProvider], Len(0, 16)] = field(default_factory=list)
    """The best first."""
    stt: Policy = "lag"
    """When recognition is computed by a provider: `local` never, `error` where ours fails, `lag` where ours would be
    late, `hedge` always both, `cloud` always. As the next two."""
    llm: Policy = "lag"
    tts: Policy = "lag"
    turn: Literal["local", "error", "cloud"] = "local"
    """When a whole turn, from speech to speech, is a provider's: where the device's engines failed, or always."""
    redact: bool = False
    """Numbers, addresses and names that a caller says of themselves are replaced in the text that leaves."""
    notice: str = ""
    """Said after the greeting: that what is said may be computed elsewhere."""
    spend_hour: Annotated[float, Ge(0)] = 1.0
    """So much money at most, in the owner's prices; 0: no limit."""
    spend_day: Annotated[float, Ge(0)] = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    url: str = ""
    """`mqtt://`, `mqtts://`, `ws://` or `wss://` and a host; empty: nothing is told over MQTT."""
    device: str = ""
    """Its name in topics: letters, digits, `-`, `_`, `.`; empty: the computer's."""
    discovery: str = "homeassistant"
    """The prefix under which Home Assistant looks for devices; empty: it is told nothing."""
    commands: list[Command] = field(default_factory=list)
    """What may be asked of the device over MQTT; empty: nothing."""
    settings: list[Name] = field(default_factory=list)
    """Keys of this file that may be set over MQTT, with `*` for anything: `turns.*`; empty: none."""
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    """The certificates (PEM) that the broker's is checked against; empty: the system's."""
    certificate: str = ""
    """The device's own, for brokers that want one, and its key (PEM)."""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryConfig:
    period: Annotated[float, Ge(1), Le(3600)] = 30.0
    """How often the device's state is told, in seconds; changes are told at once."""
    text: bool = False
    """What was said, by whom, and which keys were pressed leaves the device too."""
    journal_mb: Annotated[int, Ge(0), Le(10_000)] = 20
    """Every event as a line of JSON in the state folder, so many MB of them at most; 0: none."""
    calls_days: Annotated[int, Ge(0), Le(3650)] = 90
    """For so long it is kept what calls there were, and their turns; without words, as long as `text` is off."""
    traces: str = ""
    """Where an OpenTelemetry collector takes traces (OTLP over HTTP): `http://collector:4318`; empty: none."""
    alert_p50_ms: Annotated[float, Ge(50), Le(60_000)] = 600.0
    """Twenty turns in a row whose usual wait is longer are an alert; so is …"""
    alert_p95_ms: Annotated[float, Ge(50), Le(60_000)] = 1200.0
    """… a longest wait beyond this; and any single one of twice that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    http: HttpConfig = field(default_factory=HttpConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    stt: SttConfig = field(default_factory=SttConfig)
    llm: LlmConfig = field(default_factory=LlmConfig)
    tts: TtsConfig = field(default_factory=TtsConfig)
    agent: AgentConfig = field(default_factory=AgentConfig)
    messages: MessagesConfig = field(default_factory=MessagesConfig)
    actions: ActionsConfig = field(default_factory=ActionsConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    turns: TurnsConfig = field(default_factory=TurnsConfig)
    webrtc: WebrtcConfig = field(default_factory=WebrtcConfig)
    sip: SipConfig = field(default_factory=SipConfig)
    kiosk: KioskConfig = field(default_factory=KioskConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    cloud: CloudConfig = field(default_factory=CloudConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
