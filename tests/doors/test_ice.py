"""STUN and TURN servers from the configuration: a real coturn, with a fixed user and with a secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from appliance.doors import aiortc_seam
from appliance.doors.ear import Ear
from appliance.doors.ice import Ice, parsed
from appliance.terms.clock import SystemClock
from appliance.terms.config import IceServer, WebrtcConfig
from appliance.terms.errors import ConfigError
from appliance.terms.frame import Frame
from appliance.terms.units import is_voiced
from tests.doors.test_aiortc_seam import Tone

SECRET = "a shared secret"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def coturn(folder: Path, *access: str) -> AsyncIterator[int]:
    """A relay on loopback, and its port."""
    port = free_port()
    program = shutil.which("turnserver")
    assert program is not None, "scripts/test installs coturn"
    process = await asyncio.create_subprocess_exec(
        *(program, "-n", f"--listening-port={port}", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"),
        *("--realm=frontdesk.test", "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers"),
        *(f"--pidfile={folder / 'pid'}", "--log-file=stdout", f"--userdb={folder / 'users'}", *access),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(10):
            while True:
                with socket.socket() as probe:
                    probe.setblocking(False)
                    try:
                        await asyncio.get_running_loop().sock_connect(probe, ("127.0.0.1", port))
                        break
                    except OSError:
                        await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("access", ["user", "secret"])
async def test_a_call_goes_through_the_relay_alone(tmp_path: Path, transport: str, access: str) -> None:
    flags = (
        ("--lt-cred-mech", "--user=desk:pass")
        if access == "user"
        else ("--use-auth-secret", f"--static-auth-secret={SECRET}")
    )
    async with coturn(tmp_path, *flags) as port:
        url = f"turn:127.0.0.1:{port}?transport={transport}"
        server = IceServer(urls=[url], username="desk", credential="pass")
        if access == "secret":
            server = IceServer(urls=[url], secret=SECRET)
        ice = Ice(WebrtcConfig(ice_servers=["stun:127.0.0.1:9", server], relay_only=True), SystemClock())
        assert await ice.answering() == {"stun:127.0.0.1:9": False, url: True}
        caller = RTCPeerConnection(await ice.configuration())
        device = RTCPeerConnection(await ice.configuration())
        heard: list[Frame] = []
        ear = Ear(SystemClock(), heard.append)
        device.on("track", lambda track: aiortc_seam.tap(device, track, ear.hear))
        caller.addTrack(Tone())
        try:
            await caller.setLocalDescription(await caller.createOffer())
            candidates = [line for line in caller.localDescription.sdp.splitlines() if "a=candidate" in line]
            assert candidates
            assert all(" typ relay" in line for line in candidates)
            await device.setRemoteDescription(RTCSessionDescription(caller.localDescription.sdp, "offer"))
            await device.setLocalDescription(await device.createAnswer())
            aiortc_seam.mark(device, 46)
            await caller.setRemoteDescription(device.localDescription)
            async with asyncio.timeout(15):
                while sum(is_voiced(frame.pcm) for frame in heard) < 20:  # noqa: ASYNC110 - an ear tells nobody
                    await asyncio.sleep(0.02)
        finally:
            ear.close()
            await caller.close()
            await device.close()


def test_a_secret_makes_credentials_that_end_and_only_those_are_given_away() -> None:
    servers: list[IceServer | str] = [
        "stun:stun.example.org",
        IceServer(urls=["turn:fixed.example.org"], username="desk", credential="pass"),
        IceServer(urls=["turn:turn.example.org"], secret=SECRET),
    ]
    clock = SystemClock()
    told = Ice(WebrtcConfig(ice_servers=servers), clock).for_callers()
    assert [server["urls"] for server in told] == [["stun:stun.example.org"], ["turn:turn.example.org"]]
    username = told[1]["username"]
    expires = int(username.partition(":")[0])
    assert 7100 <= expires - clock.utc().timestamp() <= 7200
    digest = hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
    assert told[1]["credential"] == base64.b64encode(digest).decode()
    assert "pass" not in repr(servers)
    assert SECRET not in repr(servers)


@pytest.mark.parametrize(
    ("text", "host", "port", "transport"),
    [
        ("stun:stun.example.org", "stun.example.org", 3478, "udp"),
        ("turn:192.0.2.1:99", "192.0.2.1", 99, "udp"),
        ("turns:turn.example.org", "turn.example.org", 5349, "tcp"),
        ("turn:[2001:db8::1]:5?transport=tcp", "2001:db8::1", 5, "tcp"),
    ],
)
def test_urls_are_read(text: str, host: str, port: int, transport: str) -> None:
    url = parsed(text)
    assert (url.host, url.port, url.transport) == (host, port, transport)


@pytest.mark.parametrize(
    "text", ["", "turn:", "http://stun.example.org", "stun:a b", "turn:x?transport=sctp", "stun://x"]
)
def test_what_is_no_server_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no STUN or TURN server"):
        Ice(WebrtcConfig(ice_servers=[text]), SystemClock())


def test_a_relay_without_credentials_and_no_relay_at_all_are_told() -> None:
    with pytest.raises(ConfigError, match="no credentials"):
        Ice(WebrtcConfig(ice_servers=["turn:turn.example.org"]), SystemClock())
    with pytest.raises(ConfigError, match="no TURN server"):
        Ice(WebrtcConfig(relay_only=True), SystemClock())
