"""Which STUN and TURN servers a call may use: of the configured ones, those that answer.

aiortc asks one STUN and one TURN server, and waits 5 s for one that is gone; so they are tried beforehand.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from appliance.terms.clock import Clock
from appliance.terms.config import IceServer, WebrtcConfig
from appliance.terms.errors import ConfigError

URL = re.compile(r"(stuns?|turns?):([^\s:?@/\[\]]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?")
TRIED_FOR_S = 60.0
ANSWER_WITHIN_S = 1.0
LASTS_S = 2 * 3600
STUN_COOKIE = 0x2112A442
BINDING_REQUEST = 0x0001


@dataclass(frozen=True, slots=True)
class Url:
    """`turns:turn.example.org:443?transport=tcp` in its parts."""

    text: str
    scheme: str
    host: str
    port: int
    transport: str

    @property
    def relays(self) -> bool:
        return self.scheme.startswith("turn")


def parsed(text: str) -> Url:
    """Raises ConfigError."""
    found = URL.fullmatch(text)
    if found is None:
        raise ConfigError(
            [f"webrtc.ice_servers: {text!r} is no STUN or TURN server"],
            mend="Write stun:HOST[:PORT] or turn:HOST[:PORT][?transport=tcp]; turns: is TURN over TLS.",
        )
    scheme, host, port, transport = found.groups()
    secure = scheme.endswith("s")
    return Url(text, scheme, host.strip("[]"), int(port or (5349 if secure else 3478)), transport or _usual(secure))


def _usual(secure: bool) -> str:
    return "tcp" if secure else "udp"


class Ice:
    """The configured servers. Raises ConfigError where they make no sense."""

    def __init__(self, config: WebrtcConfig, clock: Clock) -> None:
        self._servers = [IceServer(urls=[s]) if isinstance(s, str) else s for s in config.ice_servers]
        self._clock = clock
        self._relay_only = config.relay_only
        self._tried: dict[str, tuple[float, bool]] = {}
        urls = [(server, parsed(url)) for server in self._servers for url in server.urls]
        for server, url in urls:
            if url.relays and not server.secret and not (server.username and server.credential):
                raise ConfigError(
                    [f"webrtc.ice_servers: {url.text} has no credentials"],
                    mend="Give it username and credential, or the secret that it shares with the device.",
                )
        if self._relay_only and not any(url.relays for _, url in urls):
            problem = "webrtc.relay_only: no TURN server is configured"
            raise ConfigError([problem], mend="Add one to webrtc.ice_servers.")

    async def configuration(self) -> RTCConfiguration:
        """For the device's side of a call: the first STUN and the first TURN server that answer."""
        urls = [(server, parsed(url)) for server in self._servers for url in server.urls]
        answers = await asyncio.gather(*(self._answers(url) for _, url in urls))
        chosen: dict[bool, RTCIceServer] = {}
        for (server, url), answered in zip(urls, answers, strict=True):
            if answered and url.relays not in chosen:
                chosen[url.relays] = self._with_credentials(server, [url.text])
        policy = RTCIceTransportPolicy.RELAY if self._relay_only else RTCIceTransportPolicy.ALL
        return RTCConfiguration(iceServers=list(chosen.values()), iceTransportPolicy=policy)

    async def answering(self) -> dict[str, bool]:
        """Does it answer, by each one's URL."""
        urls = [parsed(url) for server in self._servers for url in server.urls]
        answers = await asyncio.gather(*(self._answers(url) for url in urls))
        return {url.text: answered for url, answered in zip(urls, answers, strict=True)}

    def for_callers(self) -> list[dict[str, Any]]:
        """What browsers may know of it, as `RTCPeerConnection` takes it: nothing with fixed credentials."""
        return [
            {"urls": server.urls, **({"username": s.username, "credential": s.credential} if s.username else {})}
            for server in self._servers
            if not server.credential
            for s in (self._with_credentials(server, server.urls),)
        ]

    def _with_credentials(self, server: IceServer, urls: list[str]) -> RTCIceServer:
        if not server.secret:
            return RTCIceServer(urls=urls, username=server.username or None, credential=server.credential or None)
        expires = int(self._clock.utc().timestamp()) + LASTS_S
        username = f"{expires}:{server.username or 'frontdesk'}"
        digest = hmac.new(server.secret.encode(), username.encode(), hashlib.sha1).digest()
        return RTCIceServer(urls=urls, username=username, credential=base64.b64encode(digest).decode())

    async def _answers(self, url: Url) -> bool:
        at, answered = self._tried.get(url.text, (0.0, False))
        now = self._clock.now()
        if url.text not in self._tried or now - at > TRIED_FOR_S:
            answered = await _answers(url)
            self._tried[url.text] = now, answered
        return answered


async def _answers(url: Url) -> bool:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            if url.transport == "tcp":
                _, writer = await asyncio.open_connection(url.host, url.port)
                writer.close()
                return True
            return await _bound(url)
    except (OSError, TimeoutError):
        return False


class _Asking(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answered.done():
            self.answered.set_result(None)

    def error_received(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


async def _bound(url: Url) -> bool:
    """A STUN binding request (RFC 8489), sent three times; TURN servers answer it too."""
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_datagram_endpoint(_Asking, remote_addr=(url.host, url.port))
    request = struct.pack("!HHI", BINDING_REQUEST, 0, STUN_COOKIE) + secrets.token_bytes(12)
    try:
        for _ in range(3):
            transport.sendto(request)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(asking.answered), ANSWER_WITHIN_S / 3)
                return True
        return False
    finally:
        transport.close()
        asking.answered.cancel()
