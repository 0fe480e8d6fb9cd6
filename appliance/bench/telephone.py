"""A test phone: plain SIP over UDP and RTP, in one small file, so that nothing of the device's own stack measures it.

It calls or is called, answers challenges, holds, presses keys (RFC 4733), plays a voice in packets of 20 ms and hears
what comes, without a jitter buffer. One call, ever; bodies are SDP with one codec.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import secrets
import struct
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from appliance.rtp.codecs import decoder, encoder
from appliance.terms.units import FRAME_MS, Pcm, is_voiced

RATE = 8000
FRAME = RATE * FRAME_MS // 1000
CODECS = {"audio/pcmu": (0, "PCMU/8000"), "audio/pcma": (8, "PCMA/8000"), "audio/g722": (9, "G722/8000")}
KEY_TYPE = 101
KEYS = "0123456789*#ABCD"
SEED = 7
KEY_PACKETS, KEY_PAUSE_S = 6, 0.12
RESEND_S = (0.5, 1.0, 2.0, 4.0)
ANSWER_WITHIN_S = 70.0
BUFFER_S = 0.04
"""A frame counts as heard so long after its packet came: what a phone's jitter buffer holds on a clean line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A SIP message as far as a phone reads it. `first`: its first line; of repeated headers the first one counts."""

    first: str
    headers: dict[str, str]
    body: str

    @property
    def status(self) -> int:
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        return self.headers["cseq"].split()[1]


class Refused(Exception):
    """A call was not answered; `status` is what the other side said, 0 for nothing."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class Telephone:
    """`address` is its own, of loopback; `await open()` first, `close()` at last.

    Of what it says a share of `loss` is lost, and each packet comes up to `jitter_ms` later, at random (seeded).
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        *,
        user: str = "tester",
        password: str = "",
        codec: str = "audio/pcmu",
        loss: float = 0.0,
        jitter_ms: float = 0.0,
    ) -> None:
        self.user = user
        self.ended = asyncio.Event()
        self.called = asyncio.Event()
        self.picks_up: int | None = 200
        """What it says to who calls it; None: it rings."""
        self.said: Message
        """How its call was answered, or refused."""
        self.referred = ""
        """Where it was asked to call."""
        self.answered_s = 0.0
        """From INVITE to 200."""
        self.acknowledged = 0.0
        """When the ACK was sent, by the monotonic clock."""
        self.voiced: list[float] = []
        """When voiced frames were heard."""
        self.arrivals: list[float] = []
        """When RTP packets came."""
        self.heard: list[Pcm] = []
        """What came, (160,) int16 at 8 kHz each."""
        self.keys = ""
        """What the other side pressed."""
        self.first_voiced = self.last_voiced = 0.0
        """… of what is being said."""
        self._address = address
        self._password = password
        self._codec = codec
        self._sip: asyncio.DatagramTransport
        self._rtp: asyncio.DatagramTransport
        self._media: tuple[str, int] | None = None
        self._server = ("", 0)
        self._uri = ""
        self._id, self._tag, self._to = secrets.token_hex(8), secrets.token_hex(4), ""
        self._ringing: Message | None = None
        self._remote = ""
        """The other side as our `To` names it, where it called us."""
        self._sequence = 0
        self._responses: asyncio.Queue[Message] = asyncio.Queue()
        self._loss, self._jitter_s, self._dice = loss, jitter_ms / 1000, random.Random(SEED)
        self._frames: deque[Pcm] = deque()
        self._keys: deque[tuple[int, int, bool]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._decoder = decoder(codec, RATE)
        self._direction = "sendrecv"
        self._last_key = -1

    async def open(self) -> None:
        loop, local = asyncio.get_running_loop(), (self._address, 0)
        self._sip, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._on_sip), local_addr=local)
        self._rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._on_rtp), local_addr=local)

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        self._sip.close()
        self._rtp.close()

    @property
    def uri(self) -> str:
        """Where it can be called."""
        host, port = self._sip.get_extra_info("sockname")
        return f"sip:{self.user}@{host}:{port}"

    async def call(self, uri: str) -> None:
        """Returns once it is answered and acknowledged. Raises Refused."""
        found = re.fullmatch(r"sip:(?:[^@]+@)?([\d.]+):(\d+).*", uri)
        if found is None:
            raise ValueError(f"{uri} is no sip:USER@ADDRESS:PORT")
        self._uri, self._server = uri, (found[1], int(found[2]))
        began = time.monotonic()
        answer = await self._invite()
        if answer.status in (401, 407):
            self._acknowledge(answer)
            answer = await self._invite(self._credentials(answer, "INVITE"))
        self._acknowledge(answer)
        self.said = answer
        if answer.status != 200:
            raise Refused(answer.status, answer.first.split(" ", 2)[2])
        self.answered_s = time.monotonic() - began
        self.acknowledged = time.monotonic()
        self._aim(answer.body)
        self._sending = asyncio.create_task(self._send())

    def invite_and_cancel(self, uri: str) -> None:
        """Call somebody and give up in the same breath, in a call of its own."""
        found = re.fullmatch(r"sip:(?:[^@]+@)?([\d.]+):(\d+).*", uri)
        assert found is not None
        self._uri, call = uri, secrets.token_hex(8)
        invite = self._request("INVITE", 1, body=self._sdp()).replace(self._id.encode(), call.encode())
        cancel = re.sub(rb"Content-Type.*", b"Content-Length: 0\r\n\r\n", invite, flags=re.DOTALL)
        for message in (invite, cancel.replace(b"INVITE", b"CANCEL")):
            self._sip.sendto(message, (found[1], int(found[2])))

    async def hang_up(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            await self._transaction("BYE")

    async def hold(self, *, on: bool) -> None:
        """Put the other side on hold, or take it back. Raises Refused."""
        self._direction = "sendonly" if on else "sendrecv"
        answer = await self._invite()
        self._acknowledge(answer)
        if answer.status != 200:
            raise Refused(answer.status, answer.first)

    async def notify(self, status: int) -> None:
        """Tell the other side what became of the transfer it asked for (RFC 3515)."""
        await self._transaction(
            "NOTIFY", "Event: refer\r\nSubscription-State: terminated", f"SIP/2.0 {status} Test\r\n"
        )

    def report(self) -> None:
        """Send an RTCP sender report (RFC 3550, 6.4.1) of a stream that has sent nothing."""
        if self._media is not None:
            report = struct.pack("!BBHIQIII", 0x80, 200, 6, 1, 0, 0, 0, 0)
            name = struct.pack("!BBHIBB", 0x81, 202, 3, 1, 1, 4) + b"test\0\0"
            self._rtp.sendto(report + name, (self._media[0], self._media[1] + 1))

    def say(self, pcm: Pcm) -> None:
        """(n,) int16 mono at 8 kHz."""
        self._frames.extend(np.pad(pcm, (0, -len(pcm) % FRAME)).reshape(-1, FRAME))
        self.first_voiced = 0.0

    @property
    def speaking(self) -> bool:
        return bool(self._frames)

    def press(self, keys: str) -> None:
        for key in keys:
            for count in range(KEY_PACKETS):
                self._keys.append((KEYS.index(key), count, count >= KEY_PACKETS - 3))

    def quiet_for(self) -> float:
        return time.monotonic() - self.voiced[-1] if self.voiced else 0.0

    def after(self, moment: float) -> list[float]:
        return [t for t in self.voiced if t > moment]

    # --- SIP

    async def _invite(self, extra: str = "") -> Message:
        return await self._transaction("INVITE", extra, self._sdp())

    def _sdp(self) -> str:
        payload, name = CODECS[self._codec]
        host, port = self._rtp.get_extra_info("sockname")
        lines = (
            *("v=0", f"o=- 1 {self._sequence + 1} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"),
            f"m=audio {port} RTP/AVP {payload} {KEY_TYPE}",
            *(f"a=rtpmap:{payload} {name}", f"a=rtpmap:{KEY_TYPE} telephone-event/8000", f"a={self._direction}"),
        )
        return "".join(f"{line}\r\n" for line in lines)

    async def _transaction(self, method: str, extra: str = "", body: str = "") -> Message:
        """The final response. Raises Refused where none comes."""
        self._sequence += 1
        request = self._request(method, self._sequence, extra, body)
        while not self._responses.empty():
            self._responses.get_nowait()
        provisional, deadline = False, time.monotonic() + ANSWER_WITHIN_S
        for wait_s in (*RESEND_S, ANSWER_WITHIN_S):
            if not provisional:
                self._sip.sendto(request, self._server)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, deadline - time.monotonic()) if not provisional else None):
                    while True:
                        answer = await self._responses.get()
                        if answer.headers["cseq"].split() != [str(self._sequence), method]:
                            continue
                        if answer.status >= 200:
                            return answer
                        provisional = True
                        if time.monotonic() > deadline:
                            break
        raise Refused(0, "no answer")

    def _request(self, method: str, sequence: int, extra: str = "", body: str = "") -> bytes:
        host, port = self._sip.get_extra_info("sockname")
        lines = [
            f"{method} {self._uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport",
            f'From: "Test" <sip:{self.user}@{host}>;tag={self._tag}',
            f"To: {self._remote or f'<{self._uri}>{self._to}'}",
            f"Call-ID: {self._id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{self.user}@{host}:{port}>",
            "Max-Forwards: 70",
            *([extra] if extra else []),
            *([f"Content-Type: {'application/sdp' if method == 'INVITE' else 'message/sipfrag'}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _acknowledge(self, answer: Message) -> None:
        tag = re.search(r";tag=[^;>\s]+", answer.headers["to"])
        if answer.status == 200:
            self._to = tag[0] if tag else ""
        ack = self._request("ACK", self._sequence)
        if answer.status != 200 and tag:
            ack = ack.replace(f"To: <{self._uri}>".encode(), f"To: <{self._uri}>{tag[0]}".encode(), 1)
            branch = re.search(r"branch=[^;\s]+", answer.headers["via"])
            ack = re.sub(rb"branch=[^;]+", branch[0].encode() if branch else b"", ack, count=1)
        self._sip.sendto(ack, self._server)

    def _credentials(self, challenge: Message, method: str) -> str:
        name = "www-authenticate" if challenge.status == 401 else "proxy-authenticate"
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.headers[name]))
        a1, a2 = (_md5(text) for text in (f"{self.user}:{asked['realm']}:{self._password}", f"{method}:{self._uri}"))
        cnonce = secrets.token_hex(4)
        middle = f"{asked['nonce']}:00000001:{cnonce}:auth" if "qop" in asked else asked["nonce"]
        parts = {
            "username": self.user,
            "realm": asked["realm"],
            "nonce": asked["nonce"],
            "uri": self._uri,
            "response": _md5(f"{a1}:{middle}:{a2}"),
        }
        text = ", ".join(f'{key}="{value}"' for key, value in parts.items())
        qop = f', qop=auth, nc=00000001, cnonce="{cnonce}"' if "qop" in asked else ""
        header = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
        return f"{header}: Digest {text}{qop}, algorithm=MD5"

    def _on_sip(self, data: bytes, source: tuple[str, int]) -> None:
        message = _parse(data)
        if message is None:
            return
        if message.status:
            if message.headers["call-id"] == self._id:
                self._responses.put_nowait(message)
            return
        method = message.method
        if method in ("BYE", "CANCEL"):
            self.ended.set()
        if method == "REFER":
            self.referred = message.headers["refer-to"].strip("<>")
        status = {"ACK": None, "REFER": 202}.get(method, 200)
        if method == "INVITE" and not self.called.is_set() and self._media is None:
            status = self.picks_up or 180
            self._is_called(message, source)
        if status is not None:
            self._respond(message, status, source)

    async def decline(self) -> None:
        """Say that it is busy, to who makes it ring."""
        if self._ringing is not None:
            self._respond(self._ringing, 486, self._server)

    def _is_called(self, message: Message, source: tuple[str, int]) -> None:
        self.called.set()
        self._ringing = message
        contact = re.search(r"sip:[^>;\s]+", message.headers["contact"])
        self._server, self._uri = source, contact[0] if contact else ""
        self._id, self._remote = message.headers["call-id"], message.headers["from"]
        self._aim(message.body)
        if self.picks_up == 200:
            self._sending = asyncio.create_task(self._send())

    def _respond(self, message: Message, status: int, source: tuple[str, int]) -> None:
        body = ""
        if message.method == "INVITE" and status == 200:
            self._aim(message.body)
            body = self._sdp()
        headers = {name: message.headers[name] for name in ("via", "from", "to", "call-id", "cseq")}
        if ";tag=" not in headers["to"]:
            headers["to"] += f";tag={self._tag}"
        lines = [f"{name.title()}: {value}" for name, value in headers.items()]
        lines += [f"Contact: <{self.uri}>", *(["Content-Type: application/sdp"] if body else [])]
        text = "\r\n".join([f"SIP/2.0 {status} Test", *lines, f"Content-Length: {len(body)}", "", body])
        self._sip.sendto(text.encode(), source)

    # --- RTP

    def _aim(self, sdp: str) -> None:
        host = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
        if host and port:
            self._media = host[1], int(port[1])

    async def _send(self) -> None:
        voice, payload = encoder(self._codec, RATE), CODECS[self._codec][0]
        ssrc, began, count, key_began = secrets.randbits(32), time.monotonic(), 0, 0
        while not self.ended.is_set():
            await asyncio.sleep(max(0.0, began + count * FRAME_MS / 1000 - time.monotonic()))
            pcm = self._frames.popleft() if self._frames else np.zeros(FRAME, np.int16)
            if is_voiced(pcm):
                self.last_voiced = time.monotonic()
                self.first_voiced = self.first_voiced or self.last_voiced
            kind, content, stamp = payload, voice.encode(pcm), count * FRAME
            if self._keys:
                key, number, last = self._keys.popleft()
                key_began = count if not number else key_began
                kind, stamp = KEY_TYPE, key_began * FRAME
                content = struct.pack("!BBH", key, (0x80 if last else 0) | 10, (number + 1) * FRAME)
            header = struct.pack("!BBHII", 0x80, kind, count & 0xFFFF, stamp & 0xFFFFFFFF, ssrc)
            if self._media is not None and self._direction == "sendrecv":
                self._lose_or_send(header + content, self._media)
            count += 1

    def _lose_or_send(self, packet: bytes, to: tuple[str, int]) -> None:
        if self._dice.random() < self._loss:
            return
        if self._jitter_s:
            late_s = self._dice.random() * self._jitter_s
            asyncio.get_running_loop().call_later(late_s, self._send_packet, packet, to)
        else:
            self._send_packet(packet, to)

    def _send_packet(self, packet: bytes, to: tuple[str, int]) -> None:
        if not self._rtp.is_closing():
            self._rtp.sendto(packet, to)

    def _on_rtp(self, data: bytes, source: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        kind = data[1] & 0x7F
        if kind == KEY_TYPE and len(data) >= 16:
            stamp = int.from_bytes(data[4:8], "big")
            if stamp != self._last_key:
                self._last_key = stamp
                self.keys += KEYS[data[12] % len(KEYS)]
        elif kind == CODECS[self._codec][0]:
            now = time.monotonic()
            self.arrivals.append(now)
            pcm = self._decoder.decode(data[12:])
            self.heard.append(pcm)
            if is_voiced(pcm):
                self.voiced.append(now + BUFFER_S)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, hear: Any) -> None:
        self._hear = hear

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._hear(data, addr)


def _parse(data: bytes) -> Message | None:
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    whole = {"via", "from", "to", "call-id", "cseq"} <= headers.keys()
    return Message(first=first, headers=headers, body=body) if whole else None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
