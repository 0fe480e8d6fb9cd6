"""The bad line that the benchmark and the tests use: does it lose and delay what it says?"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import numpy as np
import pytest

from appliance.bench.wire import FAR, NEAR, Impairment, Wire, wire

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

ANSWER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 4000)); print("ready", flush=True)
while True: data, peer = s.recvfrom(2000); s.sendto(data, peer)
"""
ASK = """
import json, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((sys.argv[1], 4000)); s.settimeout(0.001)
sent, back, order = {}, {}, []
def listen(until):
    while time.monotonic() < until:
        try: n = struct.unpack("!H", s.recv(2000)[2:4])[0]
        except TimeoutError: continue
        back[n] = time.monotonic(); order.append(n)
for n in range(int(sys.argv[2])):
    s.send(struct.pack("!BBHII", 128, 111, n, 0, 0) + bytes(60)); sent[n] = time.monotonic(); listen(sent[n] + 0.005)
listen(time.monotonic() + 0.5)
print(json.dumps({"rtt_ms": [1000 * (back[n] - sent[n]) for n in back], "order": order}))
"""


async def sent_through(between: Wire, count: int) -> tuple[list[float], list[int]]:
    """The round trips in ms of so many RTP packets, and the order in which they came back."""
    answering = await asyncio.create_subprocess_exec(
        *between.at(FAR, sys.executable, "-c", ANSWER, FAR), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert answering.stdout is not None
        await answering.stdout.readline()
        asking = await asyncio.create_subprocess_exec(
            *between.at(NEAR, sys.executable, "-c", ASK, FAR, str(count)), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asking.communicate()
    finally:
        answering.terminate()
        await answering.wait()
    found = json.loads(output)
    return found["rtt_ms"], found["order"]


async def test_it_delays_and_loses_as_told_and_keeps_the_order() -> None:
    async with wire(Impairment(loss=0.1, delay_ms=20, jitter_ms=5)) as between:
        times, order = await sent_through(between, 400)
    assert 0.15 <= 1 - len(times) / 400 <= 0.25, "a tenth each way"
    assert 38 <= np.median(times) <= 60
    assert order == sorted(order)


async def test_a_burst_is_lost_once_and_nothing_passes_a_line_that_is_down() -> None:
    async with wire(Impairment(burst=5)) as between:
        _, order = await sent_through(between, 100)
        assert order == list(range(5, 100))
        between.change(Impairment(down=True))
        _, order = await sent_through(between, 10)
        assert order == []
        between.change(Impairment(reorder=True, jitter_ms=10))
        _, order = await sent_through(between, 100)
        assert len(order) == 100
        assert order != sorted(order)
