"""What systemd hears, and what it would say of our unit."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.app.systemd import Systemd
from appliance.bench.warp import warped

UNIT = Path(__file__).parents[2] / "systemd" / "frontdesk.service"


@pytest.fixture
def systemd_socket(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(listening: socket.socket) -> list[str]:
    messages: list[str] = []
    while True:
        try:
            messages.append(listening.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_it_is_told(systemd_socket: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": systemd_socket.getsockname()})
    systemd.tell("READY=1", "STATUS=Answering")
    assert heard(systemd_socket) == ["READY=1\nSTATUS=Answering"]
    assert systemd.watchdog_s == 0


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    Systemd({}).tell("READY=1")
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell("READY=1")
    assert Systemd({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s == 0  # another process's


def test_the_watchdog_is_fed_for_as_long_as_there_is_progress(systemd_socket: socket.socket) -> None:
    environ = {
        "NOTIFY_SOCKET": systemd_socket.getsockname(),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    still: list[str] = []

    async def watched() -> None:
        feeding = asyncio.create_task(Systemd(environ).feed(lambda: still))
        await asyncio.sleep(31)
        assert heard(systemd_socket) == ["WATCHDOG=1"] * 4
        still.append("llm")
        await asyncio.sleep(60)
        assert heard(systemd_socket) == []
        still.clear()
        await asyncio.sleep(8)
        assert heard(systemd_socket) == ["WATCHDOG=1"]
        feeding.cancel()

    warped(watched())


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_screens_unit_is_good(tmp_path: Path) -> None:
    unit = tmp_path / "frontdesk-kiosk.service"
    text = UNIT.with_name("frontdesk-kiosk.service").read_text()
    unit.write_text(text.replace("/usr/bin/cage", "/bin/true"))
    verified = analyze("verify", "--man=no", str(unit))
    assert "frontdesk-kiosk.service" not in verified.stderr, verified.stderr
    names = re.findall(r"\$\{([^}]*)\}", text)
    assert set(names) == {"KIOSK_URL"}, "systemd knows no other expansion"


def test_the_unit_is_good_and_exposes_little(tmp_path: Path) -> None:
    """`verify` wants its program to exist; `security` runs without a systemd that is running."""
    unit = tmp_path / "frontdesk.service"
    unit.write_text(UNIT.read_text().replace("/opt/frontdesk/.venv/bin/frontdesk", "/bin/true"))
    verified = analyze("verify", "--man=no", str(unit))
    assert "frontdesk.service" not in verified.stderr, verified.stderr
    judged = analyze("security", "--offline=true", "--threshold=30", str(unit))
    assert judged.returncode == 0, judged.stdout[-3000:]
