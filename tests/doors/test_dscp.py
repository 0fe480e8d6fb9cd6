"""What is sent is marked on the wire, as tshark sees it."""

from __future__ import annotations

import asyncio
import os

import pytest

from appliance.bench.caller import Caller
from appliance.bench.device import Device

SECONDS = 6


@pytest.mark.skipif(os.geteuid() != 0, reason="capturing packets needs root")
async def test_our_sound_is_marked_as_expedited(device: Device) -> None:
    tshark = await asyncio.create_subprocess_exec(
        *("tshark", "-l", "-i", "lo", "-a", f"duration:{SECONDS}", "-f", "udp", "-T", "fields"),
        *("-e", "ip.dsfield.dscp", "-e", "udp.length"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert tshark.stderr is not None
    while "Capturing on" not in (await tshark.stderr.readline()).decode():
        assert tshark.returncode is None
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
    finally:
        await caller.close()
    output, _ = await tshark.communicate()
    marks = [line.split("\t")[0] for line in output.decode().splitlines()]
    assert marks.count("46") >= 50, "two seconds of greeting"
    assert marks.count("0") >= 10, "what the caller sends is not ours to mark"
