"""Callers in a browser: an SDP offer over HTTP, audio over WebRTC, captions over the call's own data channel."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription

from appliance.terms.clock import Clock
from appliance.terms.config import WebrtcConfig
from appliance.terms.errors import BadInput, Busy, FrontdeskError, NotReady
from appliance.terms.events import Event
from appliance.terms.line import COME_BACK_WITHIN_S, COMING_BACK, Line

from . import aiortc_seam, offer
from .ice import Ice
from .offer import Offer
from .rate import Rate
from .tickets import Tickets
from .webrtc_line import WebrtcLine

log = logging.getLogger(__name__)

OFFERS_PER_MINUTE = 60
MOVE_WITHIN_S = 3.0

Answer = Callable[[Line], Awaitable[None]]
Release = Callable[[], None]
Admit = Callable[[], Release]
"""Takes one of the device's lines and returns what gives it back. Raises Busy or NotReady."""
Handler = Callable[[web.Request], Awaitable[web.Response]]


class WebrtcDoor:
    """`GET /api/ice`, `POST /api/offer` (more candidates by `PATCH`) and WHIP: `POST /whip`, `DELETE /whip/{id}`.

    The daemon hands in `answer`, which holds one conversation, and `admit`. A caller who sends the `resume` token of a
    call gets a new line to that call; its old line, if it still stands, ends as `moved`.
    """

    def __init__(
        self, answer: Answer, admit: Admit, clock: Clock, config: WebrtcConfig, emit: Callable[[Event], None]
    ) -> None:
        """Raises ConfigError where the ICE servers make no sense."""
        self._answer = answer
        self._admit = admit
        self._clock = clock
        self._emit = emit
        self._ice = Ice(config, clock)
        self._dscp = config.dscp
        self._calls: dict[WebrtcLine, asyncio.Task[None]] = {}
        self._whip: dict[str, WebrtcLine] = {}
        self._offers = Rate(OFFERS_PER_MINUTE)
        self._questions = Rate(OFFERS_PER_MINUTE)
        self._tickets = Tickets(COME_BACK_WITHIN_S)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/offer", _told(self._take_offer)),
            web.get("/api/ice", _told(self._tell_ice)),
            web.patch("/api/offer", _told(self._take_candidates)),
            web.post("/whip", _told(self._take_whip)),
            web.delete("/whip/{id}", self._end_whip),
        ]

    async def close(self) -> None:
        """Hang up on everybody."""
        for line in self._calls:
            line.hang_up("stopped")
        await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def _take_offer(self, request: web.Request) -> web.Response:
        self._count(request, self._offers)
        line, answer, token = await self._ring(offer.from_json(await offer.body(request)))
        return web.json_response({"sdp": answer.sdp, "type": answer.type, "call": line.call, "resume": token})

    async def _tell_ice(self, request: web.Request) -> web.Response:
        self._count(request, self._questions)
        return web.json_response({"iceServers": self._ice.for_callers()})

    async def _take_candidates(self, request: web.Request) -> web.Response:
        call, candidates = offer.candidates(await offer.body(request))
        for line in self._calls:
            if secrets.compare_digest(line.call.encode(), call.encode("utf-8", "replace")):
                await line.add_candidates(candidates)
                return web.Response(status=204)
        return refuse(404, "call", "There is no such call.")

    async def _take_whip(self, request: web.Request) -> web.Response:
        self._count(request, self._offers)
        if request.content_type != "application/sdp":
            return refuse(415, "type", "The body must be application/sdp.")
        line, answer, _ = await self._ring(offer.from_sdp(await offer.body(request)))
        resource = secrets.token_urlsafe(24)
        self._whip[resource] = line
        self._calls[line].add_done_callback(lambda task: self._whip.pop(resource, None))
        headers = {"Location": f"/whip/{resource}"}
        return web.Response(status=201, text=answer.sdp, content_type="application/sdp", headers=headers)

    async def _end_whip(self, request: web.Request) -> web.Response:
        line = self._whip.pop(request.match_info["id"], None)
        if line is None:
            return refuse(404, "call", "There is no such call.")
        line.hang_up("hangup")
        return web.Response()

    async def _ring(self, wanted: Offer) -> tuple[WebrtcLine, RTCSessionDescription, str]:
        """Start a call, or go on with one. Raises Busy, NotReady or BadInput."""
        call = self._tickets.redeem(wanted.resume, self._clock.now()) if wanted.resume else None
        if call is not None:
            await self._move(call)
        release = self._admit()
        try:
            line, answer = await self._connect(wanted.sdp, call)
        except BadInput:
            release()
            raise
        token = self._tickets.issue(line.call)
        self._calls[line] = asyncio.create_task(self._hold(line, release, token), name=f"call {line.call}")
        return line, answer, token

    async def _move(self, call: str) -> None:
        """End the call's old line, if it still stands: its caller is here."""
        for line, task in tuple(self._calls.items()):
            if line.call == call:
                line.hang_up("moved")
                await asyncio.wait({task}, timeout=MOVE_WITHIN_S)

    async def _connect(self, sdp: str, call: str | None) -> tuple[WebrtcLine, RTCSessionDescription]:
        peer = RTCPeerConnection(await self._ice.configuration())
        line = WebrtcLine(peer, self._clock, call, self._emit)
        try:
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            aiortc_seam.mark(peer, self._dscp)
        except Exception as error:
            # aiortc and its SDP parser raise whatever a bad offer provokes: AssertionError, IndexError, ValueError …
            await line.close()
            raise BadInput(f"The offer cannot be answered: {error or type(error).__name__}.") from error
        spoken = ("sendrecv", "recvonly")
        if not any(t.kind == "audio" and t.currentDirection in spoken for t in peer.getTransceivers()):
            await line.close()
            raise BadInput("The offer has no audio in a codec that is spoken here.")
        return line, peer.localDescription

    async def _hold(self, line: WebrtcLine, release: Release, token: str) -> None:
        try:
            await self._answer(line)
        except FrontdeskError as error:
            log.warning("call %s: %s", line.call, error)
        finally:
            release()
            self._calls.pop(line, None)
            self._tickets.ended(token, self._clock.now(), coming_back=line.ended in COMING_BACK)
            await line.close()

    def _count(self, request: web.Request, rate: Rate) -> None:
        if not rate.admits(request.remote or "", self._clock.now()):
            raise _TooOften


class _TooOften(Exception):
    """One address started too many calls."""


def _told(handler: Handler) -> Handler:
    """The handler, with its refusals as responses."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except _TooOften:
            return refuse(429, "rate", "Too many calls are being started. Please try again in a minute.")
        except Busy as error:
            return refuse(503, "busy", str(error))
        except NotReady as error:
            return refuse(503, "starting", str(error))
        except BadInput as error:
            return refuse(400, "offer", str(error))

    return handle


def refuse(status: int, code: str, message: str) -> web.Response:
    """An error as every HTTP route here tells it: `{"error": code, "message": a sentence for a person}`."""
    return web.json_response({"error": code, "message": message}, status=status)
