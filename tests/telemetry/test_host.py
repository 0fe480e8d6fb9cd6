"""What the computer says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.telemetry.host import Host


def test_it_says_how_busy_it_was_since_the_last_time(tmp_path: Path) -> None:
    host = Host(tmp_path)
    deadline = sum(range(3_000_000))  # some work
    figures = host.measure()
    assert deadline > 0
    assert 0 < figures["cpu"] <= 1
    assert figures["disk_free_mb"] > 0
    assert 0 < figures["memory_free_mb"] < figures["memory_mb"]
    json.dumps(figures)
