"""A bad line without hardware: two network namespaces, and a process between them that loses and delays packets.

They are joined over TUN devices. Needs root, for that is what namespaces need.

UDP is impaired as told, by a seeded generator for each direction; everything else passes with the mean delay. As a
program (`python -m appliance.bench.wire NEAR FAR`) it is that process: it takes changes as JSON lines on its stdin.
"""

from __future__ import annotations

import asyncio
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from appliance.terms.errors import DeviceError

NEAR, FAR = "10.77.0.1", "10.77.0.2"
TUNSETIFF = 0x400454CA
TUN_WITHOUT_HEADER = 0x1001
MTU = 1500
UDP = 17
MS = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What happens to UDP, each way."""

    loss: float = 0.0
    """Probability of each packet to be lost."""
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Standard deviation of the delay."""
    reorder: bool = False
    """May a packet overtake another? Else it waits behind it."""
    burst: int = 0
    """So many of the next RTP packets from near to far are lost."""
    down: bool = False
    """Nothing passes at all."""
    seed: int = 1


class Wire:
    """Run a command at either end with `at`; `change` what is between them."""

    def __init__(self, near: str, far: str, process: asyncio.subprocess.Process) -> None:
        self._names = {NEAR: near, FAR: far}
        self._process = process

    def at(self, address: str, *command: str) -> tuple[str, ...]:
        """The command as it runs at NEAR or FAR."""
        return ("ip", "netns", "exec", self._names[address], *command)

    def change(self, line: Impairment) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(line)).encode() + b"\n")


@asynccontextmanager
async def wire(line: Impairment) -> AsyncIterator[Wire]:
    """Two machines and what is between them, gone afterwards. Raises DeviceError where this is not allowed here."""
    if os.geteuid() != 0:
        raise DeviceError("a bad line needs network namespaces", mend="Run it as root.")
    near, far = (f"frontdesk-{os.getpid()}-{end}" for end in ("near", "far"))
    process = None
    try:
        _make(near, far)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "appliance.bench.wire", near, far),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise DeviceError("the wire between the namespaces failed", mend="Does /dev/net/tun exist?")
        made = Wire(near, far, process)
        made.change(line)
        yield made
    finally:
        if process is not None and process.returncode is None:
            process.terminate()
            await process.wait()
        _remove(near, far)


def _make(*namespaces: str) -> None:
    for name in namespaces:
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")


def _remove(*namespaces: str) -> None:
    for name in namespaces:
        subprocess.run(("ip", "netns", "delete", name), check=False, stderr=subprocess.DEVNULL)


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise DeviceError(f"ip {' '.join(arguments)}: {why}", mend="Install iproute2 and run it as root.") from error


class _Direction:
    """What one way does to a packet."""

    def __init__(self, device: int, *, bursts: bool) -> None:
        self.device = device
        self._bursts = bursts
        self._line = Impairment()
        self._chance = random.Random(1)
        self._last = 0.0
        self._to_lose = 0

    def change(self, line: Impairment) -> None:
        if line.seed != self._line.seed:
            self._chance = random.Random(line.seed + self._bursts)
        self._line = line
        self._to_lose = line.burst if self._bursts else 0

    def due(self, packet: bytes, now: float) -> float | None:
        """When it arrives; None: never."""
        line = self._line
        if line.down or packet[0] >> 4 != 4:
            return None
        if packet[9] != UDP:
            return now + line.delay_ms / MS
        if self._to_lose and _is_rtp(packet):
            self._to_lose -= 1
            return None
        if self._chance.random() < line.loss:
            return None
        due = now + max(0.0, self._chance.gauss(line.delay_ms, line.jitter_ms)) / MS
        if not line.reorder:
            due = self._last = max(due, self._last)
        return due


def _is_rtp(packet: bytes) -> bool:
    """SRTP, and not SRTCP (RFC 5761), in an IPv4 datagram."""
    payload = packet[(packet[0] & 15) * 4 + 8 :]
    return len(payload) > 12 and 128 <= payload[0] < 192 and not 192 <= payload[1] < 224


def _tun(name: str, namespace: str, address: str, peer: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), TUN_WITHOUT_HEADER))
    _ip("link", "set", name, "netns", namespace)
    _ip("-n", namespace, "addr", "add", address, "peer", peer, "dev", name)
    _ip("-n", namespace, "link", "set", name, "mtu", str(MTU), "up")
    return device


def main() -> None:
    near, far = sys.argv[1:]
    name = f"fd{os.getpid() % 1_000_000}"
    there = _Direction(_tun(f"{name}n", near, NEAR, FAR), bursts=True)
    back = _Direction(_tun(f"{name}f", far, FAR, NEAR), bursts=False)
    other = {there.device: back.device, back.device: there.device}
    under_way: list[tuple[float, int, int, bytes]] = []
    count = 0
    print("ready", flush=True)
    while True:
        wait_s = max(0.0, under_way[0][0] - time.monotonic()) if under_way else 1.0
        ready, _, _ = select.select([there.device, back.device, sys.stdin], [], [], wait_s)
        if sys.stdin in ready:
            order = sys.stdin.readline()
            if not order:
                return
            for way in (there, back):
                way.change(Impairment(**json.loads(order)))
        for way in (there, back):
            while way.device in ready:
                try:
                    packet = os.read(way.device, MTU + 100)
                except BlockingIOError:
                    break
                due = way.due(packet, time.monotonic())
                if due is not None:
                    count += 1
                    heapq.heappush(under_way, (due, count, other[way.device], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(under_way)
            try:
                os.write(device, packet)
            except OSError:
                continue


if __name__ == "__main__":
    main()
