"""Does an account's registrar answer? One OPTIONS request, as `frontdesk check` sends it."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl

from appliance.terms.config import SipAccount, SipConfig

from .peers import host

WITHIN_S = 3.0
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
MAX_ANSWER = 4000


async def probe(config: SipConfig, account: SipAccount) -> tuple[bool, str]:
    """Whether it answers, and what, or why not."""
    where = account.proxy or account.domain
    name, port = host(where), _port(where, PORTS[account.transport])
    try:
        async with asyncio.timeout(WITHIN_S):
            if account.transport == "udp":
                data = await _by_datagram(name, port, account)
            else:
                data = await _by_connection(name, port, account, config.ca)
    except TimeoutError:
        return False, f"{name}:{port} says nothing over {account.transport.upper()}"
    except OSError as error:  # of its kinds one is that the certificate is not trusted
        return False, f"{name}:{port} cannot be reached over {account.transport.upper()}: {error}"
    status = re.match(rb"SIP/2\.0 (\d{3}[^\r\n]{0,60})", data)
    if status is None:
        return False, f"{name}:{port} does not speak SIP"
    return True, f"{name}:{port} answers ({status[1].decode('utf-8', 'replace')})"


async def _by_datagram(name: str, port: int, account: SipAccount) -> bytes:
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Answer(answer), remote_addr=(name, port)
    )
    try:
        transport.sendto(_options(account, *transport.get_extra_info("sockname")[:2]))
        return await answer
    finally:
        transport.close()


async def _by_connection(name: str, port: int, account: SipAccount, ca: str) -> bytes:
    secure = ssl.create_default_context(cafile=ca or None) if account.transport == "tls" else None
    reader, writer = await asyncio.open_connection(name, port, ssl=secure)
    try:
        writer.write(_options(account, *writer.get_extra_info("sockname")[:2]))
        return await reader.read(MAX_ANSWER)
    finally:
        writer.close()


def _options(account: SipAccount, address: str, port: int) -> bytes:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = (
        f"OPTIONS sip:{account.domain} SIP/2.0",
        f"Via: SIP/2.0/{account.transport.upper()} {where};branch=z9hG4bK{secrets.token_hex(8)};rport",
        f"From: <sip:{account.user}@{account.domain}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{account.domain}>",
        f"Call-ID: {secrets.token_hex(8)}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:{account.user}@{where}>",
        *("Max-Forwards: 70", "Content-Length: 0", "", ""),
    )
    return "\r\n".join(lines).encode()


def _port(where: str, usual: int) -> int:
    found = re.search(r":(\d{1,5})$", where.partition(";")[0])
    return int(found[1]) if found else usual


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
