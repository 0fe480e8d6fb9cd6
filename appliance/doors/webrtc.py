"""Callers in a browser: an SDP offer over HTTP, audio over WebRTC, captions over the call's own data channel."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError

from appliance.dsp.resample import Resampler, samples
from appliance.terms.clock import Clock
from appliance.terms.errors import BadInput, Busy, FrontdeskError, NotReady
from appliance.terms.events import Event, Network, as_json
from appliance.terms.frame import Frame
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, FRAME_MS, FRAME_SAMPLES, Pcm

from .queue import SpeechQueue

log = logging.getLogger(__name__)

RATE_OUT = 48_000
FRAME_OUT = RATE_OUT * FRAME_MS // 1000
MAX_OFFER_BYTES = 64 * 1024
MAX_UNSENT = 64
"""Events that wait for the data channel to open; older ones give way."""
CONNECT_WITHIN_S = 20.0
OFFERS_PER_MINUTE = 60
BEHIND_S = 1.0

Answer = Callable[[Line], Awaitable[None]]
Release = Callable[[], None]
Admit = Callable[[], Release]
"""Takes one of the device's lines and returns what gives it back. Raises Busy or NotReady."""


class _Voice(MediaStreamTrack):
    """What the caller hears: a frame every 20 ms by the clock, silence where nothing is queued."""

    kind = "audio"

    def __init__(self, queue: SpeechQueue, clock: Clock) -> None:
        super().__init__()
        self._queue = queue
        self._clock = clock
        self._start: float | None = None
        self._count = 0

    async def recv(self) -> av.AudioFrame:
        now = self._clock.now()
        if self._start is None or now - self._start - self._count * FRAME_MS / 1000 > BEHIND_S:
            self._start = now - self._count * FRAME_MS / 1000  # after a long stall: go on, do not catch up in a rush
        await asyncio.sleep(max(0.0, self._start + self._count * FRAME_MS / 1000 - now))
        if self.readyState != "live":
            raise MediaStreamError
        pcm = self._queue.take(FRAME_OUT)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
        frame.sample_rate = RATE_OUT
        frame.pts = self._count * FRAME_OUT
        frame.time_base = Fraction(1, RATE_OUT)
        self._count += 1
        return frame


class WebrtcLine:
    """One browser. Its frames end when the browser hangs up, closes or is lost."""

    door = "webrtc"
    rate_out = RATE_OUT
    lead_ms = 60.0

    def __init__(self, peer: RTCPeerConnection, clock: Clock) -> None:
        self.call = secrets.token_urlsafe(16)
        self._peer = peer
        self._clock = clock
        self._queue = SpeechQueue(RATE_OUT)
        self._track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._channel: RTCDataChannel | None = None
        self._unsent: deque[str] = deque(maxlen=MAX_UNSENT)
        self._closed = False
        peer.addTrack(_Voice(self._queue, clock))
        peer.on("track", self._on_track)
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", self._on_state)

    async def frames(self) -> AsyncIterator[Frame]:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                track = await self._track
                frame = await _heard(track)
        except (TimeoutError, MediaStreamError, asyncio.CancelledError) as error:
            log.info("call %s: no sound from the caller within %.0f s", self.call, CONNECT_WITHIN_S)
            if isinstance(error, asyncio.CancelledError) and not self._closed:
                raise
            return
        resampler = Resampler(frame.sample_rate, CAPTURE_RATE)
        waiting = np.zeros(0, np.int16)
        while not self._closed:
            waiting = np.concatenate([waiting, resampler.feed(samples(frame))])
            while len(waiting) >= FRAME_SAMPLES:
                yield Frame(pcm=waiting[:FRAME_SAMPLES], at=self._clock.now())
                waiting = waiting[FRAME_SAMPLES:]
            try:
                frame = await _heard(track)
            except MediaStreamError:
                return

    def play(self, pcm: Pcm) -> None:
        self._queue.put(pcm)

    def flush(self) -> None:
        self._queue.clear()

    @property
    def queued_ms(self) -> float:
        return self._queue.queued_ms

    @property
    def played_samples(self) -> int:
        return self._queue.played_samples

    @property
    def network(self) -> Network | None:
        return None

    def tell(self, event: Event) -> None:
        text = json.dumps(as_json(event))
        if self._channel is not None and self._channel.readyState == "open":
            with suppress(InvalidStateError, ConnectionError):
                self._channel.send(text)
        else:
            self._unsent.append(text)

    async def hang_up(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._track.done():
            self._track.cancel()
        log.info("call %s: hung up: %s", self.call, reason)
        await self._peer.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._track.done():
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
            message = json.loads(str(text)[:1000])
            if isinstance(message, dict) and message.get("type") == "hangup":
                asyncio.ensure_future(self.hang_up("the caller hung up"))  # noqa: RUF006

    async def _on_state(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            await self.hang_up(f"the connection is {self._peer.connectionState}")


class WebrtcDoor:
    """`POST /api/offer`. The daemon hands in `answer`, which holds one conversation, and `admit`."""

    def __init__(self, answer: Answer, admit: Admit, clock: Clock, ice_servers: list[str]) -> None:
        self._answer = answer
        self._admit = admit
        self._clock = clock
        self._ice = RTCConfiguration(iceServers=[RTCIceServer(urls=url) for url in ice_servers])
        self._calls: dict[WebrtcLine, asyncio.Task[None]] = {}
        self._offers: deque[float] = deque(maxlen=OFFERS_PER_MINUTE)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/offer", self._offer)]

    async def close(self) -> None:
        """Hang up on everybody."""
        for line in tuple(self._calls):
            await line.hang_up("the device stops")
        await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def _offer(self, request: web.Request) -> web.Response:
        if not self._within_rate():
            return refuse(429, "rate", "Too many calls are being started. Please try again in a minute.")
        try:
            offer = await self._read(request)
            release = self._admit()
        except Busy as error:
            return refuse(503, "busy", str(error))
        except NotReady as error:
            return refuse(503, "starting", str(error))
        except BadInput as error:
            return refuse(400, "offer", str(error))
        try:
            line, answer = await self._connect(offer)
        except BadInput as error:
            release()
            return refuse(400, "offer", str(error))
        self._calls[line] = asyncio.create_task(self._hold(line, release), name=f"call {line.call}")
        return web.json_response({"sdp": answer.sdp, "type": answer.type, "call": line.call})

    async def _read(self, request: web.Request) -> RTCSessionDescription:
        if (request.content_length or 0) > MAX_OFFER_BYTES:
            raise BadInput(f"The offer is larger than {MAX_OFFER_BYTES // 1024} kB.")
        body = bytearray()
        async for chunk in request.content.iter_chunked(MAX_OFFER_BYTES):
            body += chunk
            if len(body) > MAX_OFFER_BYTES:
                raise BadInput(f"The offer is larger than {MAX_OFFER_BYTES // 1024} kB.")
        try:
            offer = json.loads(body)
            sdp, kind = offer["sdp"], offer["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadInput('The body is not {"sdp": …, "type": "offer"}.') from None
        if kind != "offer" or not isinstance(sdp, str):
            raise BadInput('The body is not {"sdp": …, "type": "offer"}.')
        if "m=audio" not in sdp:
            raise BadInput("The offer has no audio.")
        # Chrome hides addresses behind `.local` names, each of which would cost a second of mDNS; the peer's own
        # checks reveal the address anyway.
        lines = [line for line in sdp.splitlines() if not (line.startswith("a=candidate") and ".local " in line)]
        return RTCSessionDescription("\r\n".join(lines) + "\r\n", kind)

    async def _connect(self, offer: RTCSessionDescription) -> tuple[WebrtcLine, RTCSessionDescription]:
        peer = RTCPeerConnection(self._ice)
        line = WebrtcLine(peer, self._clock)
        try:
            await peer.setRemoteDescription(offer)
            await peer.setLocalDescription(await peer.createAnswer())
        except (
            Exception
        ) as error:  # aiortc and its SDP parser raise whatever a bad offer provokes (assert, IndexError …)
            await line.hang_up("its offer could not be answered")
            raise BadInput(f"The offer cannot be answered: {type(error).__name__}: {error}") from error
        if not any(
            t.kind == "audio" and t.currentDirection in ("sendrecv", "recvonly") for t in peer.getTransceivers()
        ):
            await line.hang_up("its offer had no audio")
            raise BadInput("The offer has no audio in a codec that is spoken here.")
        return line, peer.localDescription

    async def _hold(self, line: WebrtcLine, release: Release) -> None:
        try:
            await self._answer(line)
        except FrontdeskError as error:
            log.warning("call %s: %s", line.call, error)
        finally:
            release()
            self._calls.pop(line, None)
            await line.hang_up("the conversation is over")

    def _within_rate(self) -> bool:
        """At most so many offers in a minute, whoever makes them."""
        now = self._clock.now()
        if len(self._offers) == OFFERS_PER_MINUTE and now - self._offers[0] < 60.0:
            return False
        self._offers.append(now)
        return True


def refuse(status: int, code: str, message: str) -> web.Response:
    """An error as every HTTP route here tells it: `{"error": code, "message": a sentence for a person}`."""
    return web.json_response({"error": code, "message": message}, status=status)


async def _heard(track: MediaStreamTrack) -> av.AudioFrame:
    """The caller's next 20 ms. Raises MediaStreamError where there are no more."""
    frame = await track.recv()
    assert isinstance(frame, av.AudioFrame)
    return frame
