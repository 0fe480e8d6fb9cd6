"""Banned addresses are dropped by the kernel: a filter (classic BPF) on the sockets that SIP listens on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address
from pathlib import Path

SO_ATTACH_FILTER = 26
NETWORK_HEADER = 0xFFF00000
"""SKF_NET_OFF: offsets from here are into the IP header, whatever the transport (Linux, filter.txt)."""
LOAD_WORD, LOAD_BYTE, AND, JUMP_EQUAL, RETURN = 0x20, 0x30, 0x54, 0x15, 0x06
SOURCE = 12
ALL = 0xFFFFFFFF
INSTRUCTION = struct.Struct("=HBBI")


def program(banned: Iterable[str]) -> bytes:
    """Instructions that drop what comes from these IPv4 addresses, and nothing else; IPv6 passes."""
    found = [ip_address(text) for text in banned]
    addresses = [int(address) for address in found if isinstance(address, IPv4Address)]
    code = [
        (LOAD_BYTE, 0, 0, NETWORK_HEADER),
        (AND, 0, 0, 0xF0),
        (JUMP_EQUAL, 1, 0, 0x40),
        (RETURN, 0, 0, ALL),
        (LOAD_WORD, 0, 0, NETWORK_HEADER + SOURCE),
    ]
    for address in addresses:
        code += [(JUMP_EQUAL, 0, 1, address), (RETURN, 0, 0, 0)]
    code.append((RETURN, 0, 0, ALL))
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in code)


def enforce(banned: Iterable[str], ports: Iterable[int]) -> int:
    """Put the filter on every socket of this process that is bound to one of the ports; on how many it is."""
    code = program(banned)
    buffer = ctypes.create_string_buffer(code, len(code))
    option = struct.pack("HP", len(code) // INSTRUCTION.size, ctypes.addressof(buffer))
    filtered, wanted = 0, set(ports)
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # one of the entries is the listing itself, closed by now
            number = int(entry.name)
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue  # `socket` would refuse the copy, and leave it open
            with socket.socket(fileno=os.dup(number)) as bound:
                filtered += _attach(bound, wanted, option)
    return filtered


def _attach(bound: socket.socket, wanted: set[int], option: bytes) -> bool:
    if bound.family not in (socket.AF_INET, socket.AF_INET6) or bound.getsockname()[1] not in wanted:
        return False
    bound.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)
    return True
