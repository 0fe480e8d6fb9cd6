"""A test caller in a process of its own: `python -m appliance.bench.caller URL FOLDER [over:QUESTION] [ID …]`.

Plays utterances over WebRTC and measures, from the audio alone, from its last voiced sample sent to the first voiced
sample of the reply received (*voiced*: a 20 ms frame above −42 dBFS). Prints one JSON object. What the device says of
its turns over the data channel is only used to tell fillers from replies and to judge the words; another program's
agent, which tells nothing, is measured by its sound alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from appliance.doors import aiortc_seam
from appliance.doors.ear import Ear
from appliance.dsp import soundfile
from appliance.rtp.codecs import OPUS
from appliance.rtp.opus import SILENT_BYTES, Encoder
from appliance.terms.clock import SystemClock
from appliance.terms.errors import EngineError
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_MS, Pcm, is_voiced

from .utterances import Utterance, load

QUIET_S = 1.5
"""After so much silence the agent has said all it had to say."""
CONNECTED_WITHIN_S = 10.0
GREETING_WITHIN_S = 5.0
REPLY_WITHIN_S = 15.0
LONGEST_REPLY_S = 40.0
BROKEN_S = 0.7
"""A silence of this length inside a reply breaks it up."""
POLL_S = 0.01
INTO_REPLY_S = 0.8
HELD_S = 0.3
"""A silence of this length in a reply is more than a pause between its words."""
BUFFER_S = 0.04
MOUTH_RATE = 48_000
MOUTH_FRAME = MOUTH_RATE * FRAME_MS // 1000
OVER = "over:"
"""Before the id of a question: over its reply the others are said."""


@dataclass(slots=True, kw_only=True)
class SpokenOver:
    """One sound made over a reply, and what came of it; times in ms."""

    id: str
    silent_ms: float | None = None
    """First voiced sample sent → the reply's last voiced sample before a silence."""
    interrupted: bool = False
    """The reply was not taken up again."""
    answered: bool = False
    words: str = ""
    """What the device heard."""
    reply: str = ""
    """What was heard of the last reply."""
    turn: dict[str, Any] = field(default_factory=dict)
    """The device's own event of the turn whose reply it was."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One utterance and what came of it; times in ms."""

    id: str
    ms: float | None = None
    """Last voiced sample sent → first voiced sample of the reply received; None without a reply."""
    cut_in: bool = False
    filler: bool = False
    apology: bool = False
    repeats: bool = False
    """A clause of the reply came twice."""
    longest_gap_ms: float = 0.0
    right: bool = False
    turn: dict[str, Any] = field(default_factory=dict)
    """The device's own turn event."""


class Mouth(MediaStreamTrack):
    """Sends 20 ms every 20 ms: what it is given to say, else silence. Encoded here: aiortc would take 10 % of a core
    for it, which the device under test needs, and from another rate than 48 kHz hold a frame back."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.first_voiced = 0.0
        """… of what is being said."""
        self.last_voiced = 0.0
        self.dtx = False
        """Send nothing while it is silent, as browsers do where they are asked to."""
        self._encoder: Encoder | None = None
        self._silent = False
        self._frames: deque[Pcm] = deque()
        self._count = 0
        self._start = 0.0

    @property
    def speaking(self) -> bool:
        return bool(self._frames)

    def say(self, pcm: Pcm) -> None:
        """(n,) int16 mono at `MOUTH_RATE`."""
        whole = np.pad(pcm, (0, -len(pcm) % MOUTH_FRAME))
        self._frames.extend(whole.reshape(-1, MOUTH_FRAME))
        self.first_voiced = 0.0

    async def recv(self) -> av.Packet[Any]:
        self._encoder = self._encoder or Encoder(MOUTH_RATE, dtx=self.dtx)
        while True:
            packet = await self._next(self._encoder)
            was_silent, self._silent = self._silent, self.dtx and packet.size <= SILENT_BYTES
            if not (was_silent and self._silent):
                return packet

    async def _next(self, encoder: Encoder) -> av.Packet[Any]:
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self._count * FRAME_MS / 1000 - time.monotonic()))
        pcm = self._frames.popleft() if self._frames else np.zeros(MOUTH_FRAME, np.int16)
        if is_voiced(pcm):
            self.last_voiced = time.monotonic()
            self.first_voiced = self.first_voiced or self.last_voiced
        packet = av.Packet(encoder.encode(pcm))
        packet.pts, packet.time_base = self._count * MOUTH_FRAME, Fraction(1, MOUTH_RATE)
        self._count += 1
        return packet


class Listener:
    """When voiced frames were heard.

    A frame counts as heard `BUFFER_S` after its packet arrived: what a browser holds on a clean line. (aiortc's own
    buffer holds 100 ms.)
    """

    def __init__(self) -> None:
        self.voiced: list[float] = []
        self._ear = Ear(SystemClock(), self._hear)

    def attach(self, peer: RTCPeerConnection, track: MediaStreamTrack) -> None:
        if aiortc_seam.codec(peer) != OPUS:
            raise RuntimeError("the device does not answer in Opus")
        aiortc_seam.tap(peer, track, self._ear.hear)

    def close(self) -> None:
        self._ear.close()

    def _hear(self, frame: Frame) -> None:
        if is_voiced(frame.pcm):
            self.voiced.append(time.monotonic() + BUFFER_S)

    def after(self, moment: float) -> list[float]:
        return [t for t in self.voiced if t > moment]

    def quiet_for(self) -> float:
        return time.monotonic() - self.voiced[-1] if self.voiced else 0.0


class Caller:
    """One call to the device at `url`; with `resume`, the call that this token was given to goes on."""

    def __init__(self, url: str, *, resume: str = "") -> None:
        self.call = ""
        self.resume = resume
        self._url = url.rstrip("/")
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._mouth = Mouth()
        self._ear = Listener()
        self._messages: list[tuple[float, dict[str, Any]]] = []

    async def connect(self) -> None:
        """Returns once sound can flow. Raises RuntimeError where the device refuses, or cannot be reached."""
        self._peer.addTrack(self._mouth)
        self._peer.on("track", self._on_track)
        channel = self._peer.createDataChannel("events")
        channel.on("message", lambda text: self._messages.append((time.monotonic(), json.loads(text))))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        local = self._peer.localDescription
        offer = {"sdp": local.sdp, "type": local.type, "resume": self.resume}
        async with aiohttp.ClientSession() as session, session.post(f"{self._url}/api/offer", json=offer) as response:
            answer = await response.json()
            if response.status != 200:
                raise RuntimeError(f"the device answered {response.status}: {answer}")
        self.call, self.resume = answer.get("call", ""), answer.get("resume", "")
        self._mouth.dtx = "usedtx=1" in answer["sdp"]
        await self._peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await self._until(lambda: self._peer.connectionState == "connected", CONNECTED_WITHIN_S)
        if self._peer.connectionState != "connected":
            raise RuntimeError(f"the call was not connected: {self._peer.connectionState}")

    async def close(self) -> None:
        await self._peer.close()
        self._ear.close()

    @property
    def ended(self) -> bool:
        """Did the device end the call, or the connection break?"""
        told = any(message["type"] == "call.ended" for _, message in self._messages)
        return told or self._peer.connectionState != "connected"

    async def until_ended(self, within_s: float) -> None:
        """Until the device has hung up."""
        await self._until(lambda: self.ended, within_s)

    def heard_voiced(self) -> list[float]:
        """When voiced frames arrived, by the monotonic clock."""
        return self._ear.voiced

    @property
    def said_until(self) -> float:
        """When its last voiced frame was sent."""
        return self._mouth.last_voiced

    @property
    def state(self) -> str:
        """What the device says it does."""
        return next((str(m["state"]) for _, m in reversed(self._messages) if m["type"] == "state"), "")

    async def hear_greeting(self) -> None:
        """Until the agent has greeted and is silent."""
        await self._until(lambda: bool(self._ear.voiced), GREETING_WITHIN_S)
        await self._until(lambda: self._ear.quiet_for() >= QUIET_S, REPLY_WITHIN_S)

    async def ask(self, utterance: Utterance) -> Asked:
        """Say it, and hear the whole reply."""
        asked = Asked(id=utterance.id)
        began = time.monotonic()
        self._mouth.say(soundfile.read(utterance.file, rate=MOUTH_RATE))
        await self._until(lambda: not self._mouth.speaking, soundfile.MAX_S)
        said = self._mouth.last_voiced
        asked.cut_in = any(t < said for t in self._ear.after(began))
        await self._until(lambda: bool(self._ear.after(max(said, self._reply_since(began)))), REPLY_WITHIN_S)
        await self._until(lambda: self._ear.quiet_for() >= QUIET_S and self._told(began), REPLY_WITHIN_S)
        turn = self._turn(began) or {}
        asked.filler = self._reply_since(began) > 0.0
        voiced = self._ear.after(max(said, self._reply_since(began)))
        if voiced and (turn.get("e2a_ms") is not None or not self.call):
            asked.ms = round((voiced[0] - said) * 1000, 1)
            asked.longest_gap_ms = round(float(np.diff(voiced).max(initial=0.0)) * 1000, 1)
        told = [m for at, m in self._messages if at > began]
        clauses = [m["text"] for m in told if m["type"] == "caption" and m["who"] == "agent"]
        asked.repeats = len(set(clauses)) < len(clauses)
        asked.apology = any(m["type"] == "filler" and m["apology"] for m in told)
        asked.turn = turn
        asked.right = utterance.right(str(turn.get("reply") or ""))
        return asked

    async def speak_over(self, question: Utterance, sound: Utterance) -> SpokenOver:
        """Ask the question, make the sound over its reply, and hear what comes of it."""
        over, began = SpokenOver(id=sound.id), time.monotonic()
        self._mouth.say(soundfile.read(question.file, rate=MOUTH_RATE))
        await self._until(lambda: not self._mouth.speaking, soundfile.MAX_S)
        said = self._mouth.last_voiced
        await self._until(lambda: bool(self._ear.after(said)), REPLY_WITHIN_S)
        await asyncio.sleep(INTO_REPLY_S)
        self._mouth.say(soundfile.read(sound.file, rate=MOUTH_RATE))
        await self._until(lambda: not self._mouth.speaking, soundfile.MAX_S)
        await self._until(lambda: self._settled(began), LONGEST_REPLY_S)
        begun = self._mouth.first_voiced
        heard = self._ear.after(begun)
        turns = [m for at, m in self._messages if at > began and m["type"] == "turn"]
        over.turn = turns[0] if turns else {}
        over.interrupted = bool(over.turn.get("interrupted"))
        over.reply = str(turns[-1].get("reply") or "") if turns else ""
        over.answered = len(turns) > 1 and bool(over.reply)
        overlaps = [m["text"] for at, m in self._messages if at > began and m["type"] == "overlap"]
        over.words = overlaps[-1] if overlaps and overlaps[-1] else str(turns[-1].get("transcript") if turns else "")
        edges = [begun, *heard]
        gap = next((i for i, (a, b) in enumerate(pairwise(edges)) if b - a > HELD_S), len(edges) - 1)
        if over.interrupted or gap < len(edges) - 1:
            over.silent_ms = round((edges[gap] - begun) * 1000, 1)
        return over

    def _settled(self, since: float) -> bool:
        """Has the agent said all, in this turn or, where it was interrupted, in the next one too?"""
        turns = [m for at, m in self._messages if at > since and m["type"] == "turn"]
        return self._ear.quiet_for() >= QUIET_S and bool(turns) and not turns[-1]["interrupted"]

    def _told(self, since: float) -> bool:
        """Did the device account for the question? One that never does is believed."""
        return self._turn(since) is not None or not self.call

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._ear.attach(self._peer, track)

    def _turn(self, since: float) -> dict[str, Any] | None:
        """The device's last turn event of this question."""
        turns = [m for at, m in self._messages if at > since and m["type"] == "turn"]
        return turns[-1] if turns else None

    def _reply_since(self, since: float) -> float:
        """Where a filler was spoken: when the reply proper was captioned after it; else 0, everything is reply."""
        fillers = [(at, m) for at, m in self._messages if at > since and m["type"] == "filler"]
        if not fillers:
            return 0.0
        words = fillers[-1][1]["text"]
        replies = [
            at
            for at, m in self._messages
            if at > fillers[-1][0] and m["type"] == "caption" and m["who"] == "agent" and m["text"] != words
        ]
        return replies[0] if replies else time.monotonic()

    async def _until(self, done: Callable[[], bool], within_s: float) -> None:
        for _ in range(int(within_s / POLL_S)):
            if done():
                return
            await asyncio.sleep(POLL_S)


async def call(url: str, utterances: list[Utterance]) -> dict[str, Any]:
    """One call in which all of them are asked."""
    caller = Caller(url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        return {"asked": [asdict(await caller.ask(utterance)) for utterance in utterances]}
    finally:
        await caller.close()


async def call_and_speak_over(url: str, question: Utterance, sounds: list[Utterance]) -> dict[str, Any]:
    """One call in which a question is asked for each sound, and the sound made over its reply."""
    caller = Caller(url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        return {"over": [asdict(await caller.speak_over(question, sound)) for sound in sounds]}
    finally:
        await caller.close()


async def separately(url: str, folder: Path, arguments: Iterable[str], prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a caller in a process of its own found, which a `prefix` runs as that command does. Raises EngineError where
    it failed."""
    command = (*prefix, sys.executable, "-m", "appliance.bench.caller", url, str(folder), *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise EngineError(f"a caller failed with exit code {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


def main() -> None:
    url, folder, *ids = sys.argv[1:]
    known = {utterance.id: utterance for utterance in load(Path(folder))}
    over = ids[0].removeprefix(OVER) if ids and ids[0].startswith(OVER) else ""
    wanted = [known[name] for name in ids[bool(over) :]] if ids else list(known.values())
    work = call_and_speak_over(url, known[over], wanted) if over else call(url, wanted)
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main()
