"""A call's line over WebRTC, at its end."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection

from appliance.doors import webrtc_line
from appliance.doors.webrtc_line import WebrtcLine
from appliance.terms.clock import SystemClock


class Stuck(RTCPeerConnection):
    """Never closes, as aiortc's does not once its tasks were cancelled before they began."""

    async def close(self) -> None:
        await asyncio.Event().wait()


async def test_a_connection_that_does_not_close_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webrtc_line, "CLOSE_WITHIN_S", 0.01)
    line = WebrtcLine(Stuck(), SystemClock(), None, lambda event: None)
    await asyncio.wait_for(line.close(), timeout=10)
    assert "did not close" in caplog.text
