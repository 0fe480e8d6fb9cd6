"""Callers in a browser: an SDP offer over HTTP, audio over WebRTC, captions over the call's own data channel."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

from appliance.terms.clock import Clock
from appliance.terms.errors import BadInput, Busy, FrontdeskError, NotReady
from appliance.terms.line import Line

from .rate import Rate
from .webrtc_line import WebrtcLine

log = logging.getLogger(__name__)

MAX_OFFER_BYTES = 64 * 1024
OFFERS_PER_MINUTE = 60

Answer = Callable[[Line], Awaitable[None]]
Release = Callable[[], None]
Admit = Callable[[], Release]
"""Takes one of the device's lines and returns what gives it back. Raises Busy or NotReady."""


class WebrtcDoor:
    """`POST /api/offer`. The daemon hands in `answer`, which holds one conversation, and `admit`."""

    def __init__(self, answer: Answer, admit: Admit, clock: Clock, ice_servers: list[str]) -> None:
        self._answer = answer
        self._admit = admit
        self._clock = clock
        self._ice = RTCConfiguration(iceServers=[RTCIceServer(urls=url) for url in ice_servers])
        self._calls: dict[WebrtcLine, asyncio.Task[None]] = {}
        self._offers = Rate(OFFERS_PER_MINUTE)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/offer", self._offer)]

    async def close(self) -> None:
        """Hang up on everybody."""
        for line in self._calls:
            line.hang_up("stopped")
        await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def _offer(self, request: web.Request) -> web.Response:
        if not self._offers.admits(request.remote or "", self._clock.now()):
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
        except Exception as error:
            # aiortc and its SDP parser raise whatever a bad offer provokes: AssertionError, IndexError, ValueError …
            await line.close()
            raise BadInput(f"The offer cannot be answered: {error or type(error).__name__}.") from error
        spoken = ("sendrecv", "recvonly")
        if not any(t.kind == "audio" and t.currentDirection in spoken for t in peer.getTransceivers()):
            await line.close()
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
            await line.close()


def refuse(status: int, code: str, message: str) -> web.Response:
    """An error as every HTTP route here tells it: `{"error": code, "message": a sentence for a person}`."""
    return web.json_response({"error": code, "message": message}, status=status)
