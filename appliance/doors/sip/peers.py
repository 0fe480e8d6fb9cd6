"""Who is known to the phone: its registrars and proxies, by the addresses of their names, and trusted networks."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address, ip_network

WITHIN_S = 5.0


class Peers:
    """`resolve` asks the name service: at the start, after each registration, and now and then.

    Raises ValueError naming what of `trusted` is no address or network.
    """

    def __init__(self, names: list[str], trusted: list[str]) -> None:
        self._names = {host(name) for name in names if name}
        self._resolved: set[str] = set()
        self._networks = [ip_network(text, strict=False) for text in trusted]

    async def resolve(self) -> None:
        """What cannot be resolved now keeps its last addresses."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await asyncio.gather(*map(self._resolve, self._names))

    def learn(self, address: str) -> None:
        """We have sent a REGISTER there: by NAPTR and SRV records it can be elsewhere than the name's own address."""
        self._resolved.add(address)

    async def _resolve(self, name: str) -> None:
        with suppress(OSError):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
            self._resolved |= {str(address[4][0]) for address in found}

    def knows(self, source: str) -> bool:
        """Does this address belong to one of them?"""
        try:
            address = ip_address(source)
        except ValueError:
            return False
        return source in self._resolved or any(address in network for network in self._networks)


def host(name: str) -> str:
    """Of `host:port;parameters` the host."""
    bare = name.removeprefix("sip:").partition(";")[0]
    return bare.partition("]")[0].strip("[") if bare.startswith("[") else bare.partition(":")[0]
