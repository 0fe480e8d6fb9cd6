"""`frontdesk bench phone`: what callers on the phone notice, and what the phone stands.

Turns over G.711 beside the same questions over WebRTC, on one device; set-up; RTP pace while models work; many calls
one after another and at once (sipp); and, without models, twenty at once and speech over a bad line.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.dsp import soundfile
from appliance.engines.contracts import Recogniser
from appliance.terms.errors import DeviceError, EngineError
from appliance.terms.frame import Frame
from appliance.terms.line import Line
from appliance.terms.units import Pcm

from .caller import QUIET_S, REPLY_WITHIN_S, separately
from .calls import held
from .device import Device, running
from .switchboard import LOOPBACK, READY, TRUSTING, free_port, phone
from .telephone import BUFFER_S, RATE, Telephone
from .utterances import Utterance, load
from .words import word_errors

SET_UPS = 20
SEQUENTIAL, AT_ONCE = 200, 200
PER_S = 5
LINES = 8
MANY = 20
MANY_S = 10.0
GAP_MS = 60.0
"""Packets further apart than that are heard as a gap."""
SETTLE_S = 15.0
POLL_S = 0.01
PAUSE_S = 0.6
BAD = {"loss": 0.03, "jitter_ms": 30.0}
CODEC = "audio/pcmu"


async def measure(folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Raises DeviceError where sipp is missing, EngineError where a measurement fails."""
    sipp = shutil.which("sipp")
    if sipp is None:
        raise DeviceError("sipp is missing", mend="Install Debian's sip-tester.")
    questions = [u for u in load(folder) if u.group == "question"]
    found: dict[str, Any] = {}
    found["many"] = await _many()
    tell(f"many: {found['many']}")
    port = free_port()
    environ = {
        "FRONTDESK_SIP__ENABLED": "true",
        "FRONTDESK_SIP__LISTEN": f"{LOOPBACK}:{port}",
        "FRONTDESK_SIP__TRUSTED": f'["{LOOPBACK}"]',
    }
    async with running(environ) as device:
        uri = f"sip:desk@{LOOPBACK}:{port}"
        found["setup"] = await _set_up(uri)
        tell(f"setup: {found['setup']}")
        found["turn"], found["pace"] = await _turns(device, folder, uri, questions)
        tell(f"turn: {found['turn']}, pace: {found['pace']}")
    async with running({**environ, "FRONTDESK_LIMITS__CALLS": str(LINES)}) as device:
        found["calls"] = await _endure(device, sipp, port)
        tell(f"calls: {found['calls']}")
    return found


async def _set_up(uri: str) -> dict[str, Any]:
    """Medians and the worst, in ms: INVITE to 200, and ACK to the first voiced packet of the greeting."""
    answered, sounded = [], []
    for _ in range(SET_UPS):
        async with _telephone() as caller:
            await caller.call(uri)
            await _until(lambda: bool(caller.voiced), REPLY_WITHIN_S)
            answered.append(caller.answered_s * 1000)
            sounded.append((caller.voiced[0] - BUFFER_S - caller.acknowledged) * 1000)
    return {
        "calls": SET_UPS,
        "answer_ms": round(float(np.median(answered)), 1),
        "answer_max_ms": round(max(answered), 1),
        "greeting_ms": round(float(np.median(sounded)), 1),
        "greeting_max_ms": round(max(sounded), 1),
    }


async def _turns(
    device: Device, folder: Path, uri: str, questions: Sequence[Utterance]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """End of speech → reply, by phone and by WebRTC; and how evenly packets came to the phone meanwhile."""
    over_webrtc = (await separately(device.url, folder, (u.id for u in questions)))["asked"]
    by_phone = []
    async with _telephone() as caller:
        await caller.call(uri)
        await _quiet(caller)
        for question in questions:
            by_phone.append(await _ask(caller, question))
        gaps = np.diff(caller.arrivals) * 1000
    pace = {
        "packets": len(gaps) + 1,
        "sd_ms": round(float(gaps.std()), 2),
        "p99_ms": round(float(np.percentile(gaps, 99)), 1),
        "max_ms": round(float(gaps.max()), 1),
    }
    phone_ms, webrtc_ms = _spread(by_phone), _spread([row["ms"] for row in over_webrtc])
    later = {key: round(phone_ms[key] - webrtc_ms[key], 1) for key in ("p50_ms", "p95_ms")}
    return {"phone": phone_ms, "webrtc": webrtc_ms, "later": later}, pace


async def _ask(caller: Telephone, question: Utterance) -> float | None:
    """ms from the last voiced sample sent to the first voiced one of the reply; None without a reply."""
    caller.say(soundfile.read(question.file, rate=RATE))
    await _until(lambda: not caller.speaking, soundfile.MAX_S)
    said = caller.last_voiced
    await _until(lambda: bool(caller.after(said)), REPLY_WITHIN_S)
    heard = caller.after(said)
    await _quiet(caller)
    return (heard[0] - said) * 1000 if heard else None


async def _endure(device: Device, sipp: str, port: int) -> dict[str, Any]:
    """Calls by sipp, one after another and so many a second: how many failed, and what the device kept."""
    await _sipp(sipp, port, calls=SEQUENTIAL // 10, per_s=PER_S, hold_ms=1000, at_once=LINES)  # caches fill
    await asyncio.sleep(SETTLE_S)
    before = held(device)
    sequential = await _sipp(sipp, port, calls=SEQUENTIAL, per_s=1000, hold_ms=300, at_once=1)
    at_once = await _sipp(sipp, port, calls=AT_ONCE, per_s=PER_S, hold_ms=1000, at_once=LINES)
    await asyncio.sleep(SETTLE_S)
    after = held(device)
    growth = {name: round(after[name]["mb"] / before[name]["mb"] - 1, 3) for name in before}
    descriptors = {name: after[name]["descriptors"] - before[name]["descriptors"] for name in before}
    return {
        "sequential": SEQUENTIAL,
        "sequential_failed": sequential,
        "at_once": AT_ONCE,
        "per_s": PER_S,
        "at_once_failed": at_once,
        "growth": growth,
        "worst_growth": max(growth.values()),
        "descriptors": descriptors,
        "most_descriptors": max(descriptors.values()),
    }


async def _sipp(sipp: str, port: int, *, calls: int, per_s: int, hold_ms: int, at_once: int) -> int:
    """How many of the calls failed. Raises EngineError where sipp tells nothing."""
    ours = free_port()
    command = (
        *(sipp, f"{LOOPBACK}:{port}", "-sn", "uac", "-s", "desk", "-i", LOOPBACK, "-p", str(ours)),
        *("-mp", str(free_port()), "-m", str(calls), "-r", str(per_s), "-l", str(at_once), "-d", str(hold_ms)),
        *("-nostdin", "-timeout", "300", "-trace_stat", "-stf", "/dev/stdout", "-fd", "300"),
    )
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    rows = [line.split(";") for line in output.decode("utf-8", "replace").splitlines() if line.count(";") > 20]
    if len(rows) < 2:
        raise EngineError(f"sipp failed with exit code {process.returncode}")
    last = dict(zip(rows[0], rows[-1], strict=False))
    return calls - int(last["SuccessfulCall(C)"])


async def _many() -> dict[str, Any]:
    """Twenty phones hear an announcement: the share of packets that came late enough to be a gap, and the cost."""
    port = free_port()
    command = (sys.executable, "-m", "appliance.bench.switchboard", str(port), str(MANY))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        if (await process.stdout.readline()).decode().strip() != READY:
            raise EngineError("the switchboard did not start")
        device = Device(url="", pid=process.pid, ready_s=0.0)
        async with contextlib.AsyncExitStack() as stack:
            callers = [await stack.enter_async_context(_telephone()) for _ in range(MANY)]
            for caller in callers:
                await caller.call(f"sip:desk@{LOOPBACK}:{port}")
            await asyncio.sleep(1.0)
            for caller in callers:
                caller.arrivals.clear()
                caller.voiced.clear()
            cpu = await device.cpu_share(MANY_S)
            gaps = np.concatenate([np.diff(caller.arrivals) * 1000 for caller in callers])
            packets = sum(len(caller.arrivals) for caller in callers)
            voiced = sum(len(caller.voiced) for caller in callers)
    finally:
        process.terminate()
        await process.wait()
    return {
        "calls": MANY,
        "cpu": cpu,
        "sd_ms": round(float(gaps.std()), 2),
        "max_ms": round(float(gaps.max()), 1),
        "gaps": int((gaps > GAP_MS).sum()),
        "silent": packets - voiced,
        "packets": packets,
    }


async def bad_line(folder: Path, recogniser: Recogniser) -> dict[str, Any]:
    """Word error rates of what the phone's agent heard: from the files, over G.711, and over G.711 on a bad line."""
    said = [u for u in load(folder) if u.group in ("question", "human")]
    clean, bad = await _heard(said, {}), await _heard(said, BAD)
    files = [soundfile.read(utterance.file) for utterance in said]
    rates = [await _wer(said, heard, recogniser) for heard in (files, clean, bad)]
    return {
        **BAD,
        "wer_wideband": rates[0],
        "wer": rates[1],
        "wer_bad": rates[2],
        "over_clean": round(rates[2] - rates[1], 4),
    }


async def _heard(said: Sequence[Utterance], impairment: dict[str, float]) -> list[Pcm]:
    frames: list[Frame] = []

    async def keep(line: Line) -> None:
        async for frame in line.frames():
            frames.append(frame)

    heard = []
    async with phone(TRUSTING, keep) as desk, _telephone(**impairment) as caller:
        await caller.call(desk.uri)
        await asyncio.sleep(PAUSE_S)
        for utterance in said:
            frames.clear()
            caller.say(soundfile.read(utterance.file, rate=RATE))
            await _until(lambda: not caller.speaking, soundfile.MAX_S)
            await asyncio.sleep(PAUSE_S)
            heard.append(np.concatenate([frame.pcm for frame in frames]))
    return heard


async def _wer(said: Sequence[Utterance], heard: Sequence[Pcm], recogniser: Recogniser) -> float:
    errors = words = 0
    for utterance, pcm in zip(said, heard, strict=True):
        wrong, total = word_errors(utterance.text, (await recogniser.transcribe(pcm)).text)
        errors, words = errors + wrong, words + total
    return round(errors / words, 4)


@contextlib.asynccontextmanager
async def _telephone(**impairment: Any) -> AsyncIterator[Telephone]:
    caller = Telephone(codec=CODEC, **impairment)
    await caller.open()
    try:
        yield caller
        await caller.hang_up()
    finally:
        caller.close()


async def _quiet(caller: Telephone) -> None:
    await _until(lambda: bool(caller.voiced) and caller.quiet_for() >= QUIET_S, REPLY_WITHIN_S)


async def _until(done: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not done() and time.monotonic() < deadline:  # noqa: ASYNC110 - packets come without an event of ours
        await asyncio.sleep(POLL_S)


def _spread(times: Sequence[float | None]) -> dict[str, Any]:
    answered = [t for t in times if t is not None]
    if not answered:
        raise EngineError("nothing was answered")
    p50, p95 = (round(float(value), 1) for value in np.percentile(answered, (50, 95)))
    return {"asked": len(times), "answered": len(answered), "p50_ms": p50, "p95_ms": p95}
