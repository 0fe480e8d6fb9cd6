"""One browser as a line: aiortc's tracks on one side, frames and queued speech on the other."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiortc import MediaStreamTrack, RTCDataChannel, RTCIceCandidate, RTCPeerConnection
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError

from appliance.terms.clock import Clock
from appliance.terms.events import Caption, Event, Network, NetworkMeasured, StateChanged, as_json
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_MS, Pcm

from . import aiortc_seam
from .ear import Ear
from .network import NetworkMeter
from .queue import SpeechQueue
from .voice import RATE_OUT, Source, Voice

log = logging.getLogger(__name__)

MAX_UNSENT = 64
"""Events that wait for the data channel to open; older ones give way."""
MAX_BUFFERED = 64 * 1024
PASSING = (Caption, NetworkMeasured, StateChanged)
"""What a page whose line is blocked can do without: more of it comes."""
MAX_MESSAGE = 1000
MAX_HEARD = 50
"""A second of sound that waits to be heard; more, and the oldest gives way."""
CONNECT_WITHIN_S = 10.0
SILENT_S = 15.0
"""Not one packet for so long: the caller is gone. ICE would notice only after 30 s."""
FAREWELL_S = 0.5
CLOSE_WITHIN_S = 3.0
"""aiortc waits for its own tasks' ends, for ever where they were cancelled before."""
NETWORK_EVERY_S = 2.0


class WebrtcLine:
    """One browser. Its frames end when it hangs up, closes or is lost, or when the device does."""

    door = "webrtc"
    rate_out = RATE_OUT
    lead_ms = 60.0
    caller = ""
    opening = ""
    desk = ""
    held = False

    def __init__(self, peer: RTCPeerConnection, clock: Clock, call: str | None, emit: Callable[[Event], None]) -> None:
        """`emit` is told of the network; of the rest tells the conversation."""
        self.call = call or secrets.token_urlsafe(16)
        self.ended = ""
        self.network: Network | None = None
        self._peer = peer
        self._clock = clock
        self._emit = emit
        self._queue = SpeechQueue(RATE_OUT)
        self._track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._channel: RTCDataChannel | None = None
        self._unsent: deque[str] = deque(maxlen=MAX_UNSENT)
        self.ear: Ear | None = None
        self._tap: aiortc_seam.Tap | None = None
        self._guard: aiortc_seam.Guard | None = None
        self._heard: asyncio.Queue[Frame | None] = asyncio.Queue(MAX_HEARD)
        """None: the call is over."""
        self._voice = Voice(self._queue, clock, codec=lambda: aiortc_seam.codec(peer))
        self._meter = NetworkMeter(peer, self._voice, NETWORK_EVERY_S)
        peer.addTrack(self._voice)
        peer.on("track", self._on_track)
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", self._on_state)

    async def frames(self) -> AsyncIterator[Frame]:
        tasks = [asyncio.create_task(work) for work in (self._watch(), self._await_end())]
        try:
            while (frame := await self._heard.get()) is not None:
                yield frame
        finally:
            for task in tasks:
                task.cancel()

    def play(self, pcm: Pcm) -> None:
        self._queue.put(pcm)
        self._voice.wake()

    def flush(self) -> None:
        self._queue.clear()

    @property
    def queued_ms(self) -> float:
        return self._queue.queued_ms

    @property
    def played_samples(self) -> int:
        return self._queue.played_samples

    def relay(self, source: Source) -> None:
        """Send what comes from another caller from now on, instead of what is played; wake it with `relayed`."""
        self._voice.source = source

    def relayed(self) -> None:
        """The other caller said something."""
        self._voice.wake()

    def tell(self, event: Event) -> None:
        text = json.dumps(as_json(event))
        if self._channel is not None and self._channel.readyState == "open":
            if self._channel.bufferedAmount > MAX_BUFFERED and isinstance(event, PASSING):
                return
            with suppress(InvalidStateError, ConnectionError):
                self._channel.send(text)
        else:
            self._unsent.append(text)

    def hang_up(self, reason: str) -> None:
        if not self.ended:
            self.ended = reason
            self._put(None)

    async def add_candidates(self, candidates: list[RTCIceCandidate]) -> None:
        """Addresses of the caller that became known after the offer."""
        for candidate in candidates:
            await self._peer.addIceCandidate(candidate)

    async def close(self) -> None:
        """Once the conversation is over: let its last words to the page arrive, then close the connection."""
        self.hang_up("stopped")
        if self.ear is not None:
            self.ear.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while self._channel is not None and self._channel.bufferedAmount:  # noqa: ASYNC110
                    await asyncio.sleep(FRAME_MS / 1000)
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._peer.close()
        except TimeoutError:
            log.warning("call %s: its connection did not close within %g s", self.call, CLOSE_WITHIN_S)

    async def _await_end(self) -> None:
        """Until the caller's track ends: of what is heard it tells nothing."""
        track = await asyncio.shield(self._track)
        with suppress(MediaStreamError):
            await track.recv()
        self.hang_up("hangup")

    def _put(self, frame: Frame | None) -> None:
        if self._heard.full():
            self._heard.get_nowait()
            if self.ear is not None:
                self.ear.counts.dropped += 1
        self._heard.put_nowait(frame)

    async def _watch(self) -> None:
        """Is the caller there, and what does RTCP tell of the line? Until the call is over."""
        began = self._clock.now()
        while True:
            await asyncio.sleep(NETWORK_EVERY_S)
            heard_at, patience_s = began, CONNECT_WITHIN_S
            if self.ear is not None and self.ear.heard_bytes:
                heard_at, patience_s = self.ear.heard_at, SILENT_S
            if self._clock.now() - heard_at > patience_s:
                self.hang_up("lost")
            if self.ear is not None and self._tap is not None:
                self.network = await self._meter.measure(self.ear, self._tap, self._guard)
                if self.network is not None:
                    measured = NetworkMeasured(call=self.call, network=self.network)
                    self.tell(measured)
                    self._emit(measured)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._track.done():
            self.ear = Ear(self._clock, self._put, aiortc_seam.codec(self._peer))
            self._tap = aiortc_seam.tap(self._peer, track, self.ear.hear)
            self._track.set_result(track)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "events" or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._on_message)
        while self._unsent:
            channel.send(self._unsent.popleft())

    def _on_message(self, text: object) -> None:
        """The page says only one thing."""
        with suppress(ValueError, TypeError):
            message = json.loads(str(text)[:MAX_MESSAGE])
            if isinstance(message, dict) and message.get("type") == "hangup":
                self.hang_up("hangup")

    def _on_state(self) -> None:
        if self._peer.connectionState == "connected" and self._guard is None:
            self._guard = aiortc_seam.guard(self._peer, self._clock)
        if self._peer.connectionState in ("failed", "closed"):
            self.hang_up("lost" if self._peer.connectionState == "failed" else "hangup")
