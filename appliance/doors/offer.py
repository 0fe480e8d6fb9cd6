"""What callers send to start a call over WebRTC, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from appliance.terms.errors import BadInput

MAX_BYTES = 64 * 1024
MAX_CANDIDATES = 32
WRONG_OFFER = 'The body is not {"sdp": …, "type": "offer"}.'
WRONG_CANDIDATES = 'The body is not {"call": …, "candidates": [{"candidate", "sdpMid", "sdpMLineIndex"}, …]}.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    sdp: str
    resume: str = ""
    """The token of a call to go on with."""


async def body(request: web.Request) -> bytes:
    """At most 64 kB. Raises BadInput where it is more, without reading on."""
    read = bytearray()
    if (request.content_length or 0) <= MAX_BYTES:
        async for chunk in request.content.iter_chunked(MAX_BYTES):
            read += chunk
            if len(read) > MAX_BYTES:
                break
        else:
            return bytes(read)
    raise BadInput(f"The offer is larger than {MAX_BYTES // 1024} kB.")


def from_json(data: bytes) -> Offer:
    """`{"sdp", "type": "offer"}`, with `resume` where a lost call goes on. Raises BadInput."""
    message = _json(data, WRONG_OFFER)
    sdp, kind, resume = message.get("sdp"), message.get("type"), message.get("resume") or ""
    if kind != "offer" or not isinstance(sdp, str) or not isinstance(resume, str):
        raise BadInput(WRONG_OFFER)
    return Offer(sdp=_reachable(sdp), resume=resume)


def from_sdp(data: bytes) -> Offer:
    """WHIP's body: the SDP itself. Raises BadInput."""
    try:
        return Offer(sdp=_reachable(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise BadInput("The body is not SDP.") from None


def candidates(data: bytes) -> tuple[str, list[RTCIceCandidate]]:
    """The call and the candidates that became known after its offer. Raises BadInput."""
    message = _json(data, WRONG_CANDIDATES)
    call, rows = message.get("call"), message.get("candidates")
    if not isinstance(call, str) or not isinstance(rows, list) or len(rows) > MAX_CANDIDATES:
        raise BadInput(WRONG_CANDIDATES)
    return call, [found for row in rows if (found := _candidate(row)) is not None]


def _candidate(row: Any) -> RTCIceCandidate | None:
    """None for the empty one that ends the list, and for a name that only mDNS could resolve."""
    try:
        text = str(row["candidate"])
        if not text or ".local " in text:
            return None
        candidate = candidate_from_sdp(text.partition(":")[2] if text.startswith("candidate:") else text)
        candidate.sdpMid, candidate.sdpMLineIndex = row.get("sdpMid"), row.get("sdpMLineIndex")
    except (AssertionError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise BadInput(WRONG_CANDIDATES) from None
    return candidate


def _json(data: bytes, wrong: str) -> dict[str, Any]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        raise BadInput(wrong) from None
    if not isinstance(message, dict):
        raise BadInput(wrong)
    return message


def _reachable(sdp: str) -> str:
    """Without Chrome's `.local` names, each of which would cost a second of mDNS: the peer's own checks reveal its
    address anyway."""
    if "m=audio" not in sdp:
        raise BadInput("The offer has no audio.")
    lines = [line for line in sdp.splitlines() if not (line.startswith("a=candidate") and ".local " in line)]
    return "\r\n".join(lines) + "\r\n"
