"""One browser as a line: aiortc's tracks on one side, frames and queued speech on the other."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from aiortc import MediaStreamTrack, RTCDataChannel, RTCIceCandidate, RTCPeerConnection
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError

from appliance.terms.clock import Clock
from appliance.terms.events import Event, Network, as_json
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_MS, Pcm

from . import aiortc_seam
from .ear import Ear
from .queue import SpeechQueue
from .voice import RATE_OUT, Voice

log = logging.getLogger(__name__)

MAX_UNSENT = 64
"""Events that wait for the data channel to open; older ones give way."""
MAX_MESSAGE = 1000
MAX_HEARD = 50
"""A second of sound that waits to be heard; more, and the oldest gives way."""
CONNECT_WITHIN_S = 10.0
SILENT_S = 15.0
"""Not one packet for so long: the caller is gone. ICE would notice only after 30 s."""
FAREWELL_S = 0.5
NETWORK_EVERY_S = 2.0


class WebrtcLine:
    """One browser. Its frames end when it hangs up, closes or is lost, or when the device does."""

    door = "webrtc"
    rate_out = RATE_OUT
    lead_ms = 60.0

    def __init__(self, peer: RTCPeerConnection, clock: Clock, call: str | None) -> None:
        self.call = call or secrets.token_urlsafe(16)
        self.ended = ""
        self.network: Network | None = None
        self._peer = peer
        self._clock = clock
        self._queue = SpeechQueue(RATE_OUT)
        self._track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._channel: RTCDataChannel | None = None
        self._unsent: deque[str] = deque(maxlen=MAX_UNSENT)
        self._ear: Ear | None = None
        self._heard: asyncio.Queue[Pcm | None] = asyncio.Queue(MAX_HEARD)
        """None: the call is over."""
        self._voice = Voice(self._queue, clock, codec=lambda: aiortc_seam.codec(peer))
        peer.addTrack(self._voice)
        peer.on("track", self._on_track)
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", self._on_state)

    async def frames(self) -> AsyncIterator[Frame]:
        tasks = [asyncio.create_task(self._watch_network()), asyncio.create_task(self._listen())]
        patience_s = CONNECT_WITHIN_S
        try:
            while (pcm := await self._next(patience_s)) is not None:
                patience_s = SILENT_S
                yield Frame(pcm=pcm, at=self._clock.now())
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

    def tell(self, event: Event) -> None:
        text = json.dumps(as_json(event))
        if self._channel is not None and self._channel.readyState == "open":
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
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while self._channel is not None and self._channel.bufferedAmount:  # noqa: ASYNC110
                    await asyncio.sleep(FRAME_MS / 1000)
        await self._peer.close()

    async def _next(self, timeout_s: float) -> Pcm | None:
        """The caller's next 20 ms, or None at the end of the call."""
        try:
            async with asyncio.timeout(timeout_s):
                pcm = await self._heard.get()
        except TimeoutError:
            self.hang_up("lost")
        return None if self.ended else pcm

    async def _listen(self) -> None:
        """Put what is heard where `frames` takes it, until the caller's track ends."""
        track = await asyncio.shield(self._track)
        assert self._ear is not None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen_to(self._ear))
                group.create_task(track.recv())  # which only tells of the end, and ends the listening
        except* MediaStreamError:
            self.hang_up("hangup")

    async def _listen_to(self, ear: Ear) -> None:
        async for pcm in ear.frames():
            self._put(pcm)

    def _put(self, pcm: Pcm | None) -> None:
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(pcm)

    async def _watch_network(self) -> None:
        """What RTCP tells of the line, every two seconds."""
        while True:
            await asyncio.sleep(NETWORK_EVERY_S)
            report = {stats.type: stats for stats in (await self._peer.getStats()).values()}
            ours, theirs = report.get("inbound-rtp"), report.get("remote-inbound-rtp")
            if ours is None or theirs is None:
                continue
            packets = max(1, ours.packetsReceived + ours.packetsLost)
            self.network = Network(
                rtt_ms=None if theirs.roundTripTime is None else round(theirs.roundTripTime * 1000, 1),
                jitter_ms=round(ours.jitter / RATE_OUT * 1000, 1),
                loss_in=round(max(0, ours.packetsLost) / packets, 4),
                loss_out=round(theirs.fractionLost / 256, 4),
                buffer_ms=None if self._ear is None else self._ear.wait_ms,
                concealed_ms=None if self._ear is None else self._ear.concealed_ms,
            )

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._track.done():
            self._ear = Ear(self._clock, aiortc_seam.codec(self._peer))
            aiortc_seam.tap(self._peer, track, self._ear.hear)
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
        if self._peer.connectionState in ("failed", "closed"):
            self.hang_up("lost" if self._peer.connectionState == "failed" else "hangup")
