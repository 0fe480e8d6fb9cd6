"""The far end of `frontdesk bench line`: it says back what it hears, by our media path and by stock aiortc's.

    python -m appliance.bench.echo HOST FOLDER

It serves the page that a browser at the near end opens, and prints its port, then a JSON object for each call that was
recorded. What the browser sent and heard (`mic`, `back`) and what was heard here (`heard`) lie in FOLDER then, as raw
int16: the first two at 48 kHz, the last at 16.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import CODECS
from aiortc.mediastreams import MediaStreamError

from appliance.doors.webrtc import WebrtcDoor
from appliance.doors.webrtc_line import WebrtcLine
from appliance.dsp.resample import Resampler, samples
from appliance.rtp.codecs import OPUS
from appliance.rtp.steady import Steady
from appliance.terms.clock import SystemClock
from appliance.terms.config import WebrtcConfig
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, Pcm

PAGES = Path(__file__).parent / "pages"
MOST_BYTES = 200_000_000
OURS, STOCK = "/api/offer", "/stock"
"""Where calls to each are offered."""


class Ours:
    """Calls as Frontdesk's door takes them."""

    def __init__(self) -> None:
        self.door = WebrtcDoor(self._echo, lambda: lambda: None, SystemClock(), WebrtcConfig(), lambda event: None)
        self.heard: list[Pcm] = []
        self._line: WebrtcLine | None = None
        self._steady = Steady(CAPTURE_RATE)

    async def _echo(self, line: Line) -> None:
        assert isinstance(line, WebrtcLine)
        self.heard, self._line, self._steady = [], line, Steady(CAPTURE_RATE)
        line.relay(self._steady)
        async for frame in line.frames():
            self.heard.append(frame.pcm)
            if not frame.made_up:
                self._steady.put(frame.pcm)
                line.relayed()

    def report(self) -> dict[str, Any]:
        ear = self._line.ear if self._line is not None else None
        if ear is None:
            return {}
        counts = ear.counts
        played = counts.received - counts.late - counts.repeated - counts.dropped
        return {
            "received": counts.received,
            "played_share": round(played / max(1, counts.received), 4),
            "lost": counts.lost,
            "recovered": ear.recovered,
            "late": counts.late,
            "buffer_ms": ear.wait_ms,
            "made_up_ms": self._steady.made_up_ms,
            "taken_out_ms": round(self._steady.taken_out_ms, 1),
        }


class Stock:
    """Calls as aiortc's own examples take them: the caller's track is sent back."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []
        self._frames = 0
        self._peer: RTCPeerConnection | None = None
        self._received = 0

    async def offer(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        opus = next(codec for codec in CODECS["audio"] if codec.mimeType == OPUS)
        opus.parameters, ours = {}, opus.parameters
        peer = self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.heard, self._frames = [], 0
        peer.on("track", lambda track: peer.addTrack(_Counted(track, self._on_frame)))
        await peer.setRemoteDescription(RTCSessionDescription(wanted["sdp"], wanted["type"]))
        opus.parameters = ours
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"sdp": peer.localDescription.sdp, "type": peer.localDescription.type})

    def _on_frame(self, pcm: Pcm) -> None:
        self._frames += 1
        self.heard.append(pcm)

    async def report(self) -> dict[str, Any]:
        if self._peer is None:
            return {}
        stats = {s.type: s for s in (await self._peer.getStats()).values()}
        received = stats["inbound-rtp"].packetsReceived
        await self._peer.close()
        return {"received": received, "played_share": round(self._frames / max(1, received), 4)}


class _Counted(MediaStreamTrack):
    kind = "audio"

    def __init__(self, track: MediaStreamTrack, on_frame: Any) -> None:
        super().__init__()
        self._track = track
        self._on_frame = on_frame
        self._resampler: Resampler | None = None

    async def recv(self) -> av.AudioFrame:
        frame = await self._track.recv()
        if not isinstance(frame, av.AudioFrame):
            raise MediaStreamError
        self._resampler = self._resampler or Resampler(frame.sample_rate, CAPTURE_RATE)
        self._on_frame(self._resampler.feed(samples(frame)))
        return frame


async def serve(host: str, folder: Path) -> None:
    ours, stock = Ours(), Stock()
    began = ("", 0.0, 0.0)

    @web.middleware
    async def timed(request: web.Request, handler: Any) -> web.StreamResponse:
        """What a call costs counts from its offer."""
        nonlocal began
        if request.path in (OURS, STOCK):
            began = (request.path, time.monotonic(), _cpu_s())
        answer: web.StreamResponse = await handler(request)
        return answer

    async def result(request: web.Request) -> web.Response:
        cpu = (_cpu_s() - began[2]) / (time.monotonic() - began[1])
        recorded = np.frombuffer(await request.read(), np.int16)
        microphone, back = recorded.reshape(2, -1)
        mine = began[0] == OURS
        report = ours.report() if mine else await stock.report()
        heard = np.concatenate((ours if mine else stock).heard or [np.zeros(0, np.int16)])
        for name, pcm in (("mic", microphone), ("back", back), ("heard", heard)):
            (folder / f"{name}.raw").write_bytes(pcm.tobytes())
        print(json.dumps({**report, "cpu": round(cpu, 4)}), flush=True)
        return web.Response()

    async def failed(request: web.Request) -> web.Response:
        print(json.dumps({"error": (await request.text())[:500]}), flush=True)
        return web.Response()

    app = web.Application(client_max_size=MOST_BYTES, middlewares=[timed])
    app.add_routes(ours.door.routes())
    app.add_routes([web.post(STOCK, stock.offer), web.post("/result", result), web.post("/failed", failed)])
    app.add_routes([web.get(f"/{name}", _page(name)) for name in ("line.html", "line.js", "recorder.js")])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def _page(name: str) -> Any:
    async def show(request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGES / name)

    return show


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
