"""`frontdesk bench fallback`: what callers notice when the device lags, its engine dies, or its provider does.

The provider is a real server of another make: llama-cpp-python's, with the device's own weights, behind a proxy that
spoils what it is told to. It runs on the same processor; where the device's language model is slowed, it sleeps, so
that the provider has that processor for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from appliance.terms.errors import DeviceError

from .broker import free_port
from .caller import Asked, Caller, separately
from .device import Device, running
from .fault import LOOPBACK, FaultProxy, spoiled
from .slowed import slowed
from .utterances import Utterance, load
from .wire import FAR, NEAR, Impairment, wire

SERVER_WITHIN_S = 60.0
SLOW_TIMES = 10.0
KILLED_SLOW_TIMES = 5.0
"""So slow that it still writes when it is killed in the middle of the reply."""
LONG = ("manager", "price", "day-pass", "bus")
"""Questions with replies long enough for that."""
KILLS = 6
INTO_REPLY_S = 0.3
BACK_WITHIN_S = 20.0
SILENT_MS = 60_000
MODEL = "helper"
PARTS = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms")
PROVIDER = f"""
[[cloud.providers]]
name = "{MODEL}"
url = "http://{{host}}:{{port}}/v1"
llm = "{MODEL}"
"""


async def measure(
    folder: Path, weights: Path, instructions: str, *, rounds: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Every question so many times in each of the situations; the provider has read the `instructions` before, as a
    service that is used every minute has. Raises DeviceError where a server is missing."""
    questions = [u for u in load(folder) if u.group == "question"] * rounds
    long = [u for u in load(folder) if u.id in LONG]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="frontdesk-fallback-") as name:
        desk = Fallback(Path(name), tell)
        async with llama_server(weights) as port, spoiled(port) as proxy:
            await _warm(port, instructions)
            alone = await desk.ask("local", "none", proxy, questions)
            found["local"] = _summary(alone)
            found["healthy"] = _summary(await desk.ask("lag", "text", proxy, questions))
            found["slow_llm"] = _against(_summary(await desk.ask("lag", "text", proxy, questions, slow=True)), alone)
            found["slow_alone"] = _against(
                _summary(await desk.ask("local", "none", proxy, questions, slow=True)), alone
            )
            proxy.fault = "black hole"
            found["blackhole"] = _against(_summary(await desk.ask("hedge", "text", proxy, questions)), alone)
            proxy.fault = "none"
            found["killed"] = await desk.kill("error", "text", proxy, long)
            found["killed_alone"] = await desk.kill("local", "none", proxy, long)
            proxy.fault = "status"
            found["both_gone"] = await desk.gone(proxy, long)
            found["not_allowed"] = await desk.closed("none", questions, folder)
            found["allowed"] = await desk.closed("text", questions[:4], folder)
    return found


class Fallback:
    """Devices, each for one situation."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell

    @contextlib.asynccontextmanager
    async def _device(self, policy: str, allow: str, proxy: FaultProxy) -> AsyncIterator[Device]:
        file = self._folder / "frontdesk.toml"
        file.write_text(
            f'[cloud]\nallow = "{allow}"\nllm = "{policy}"\n{PROVIDER.format(host=LOOPBACK, port=proxy.port)}'
        )
        async with running(config=file) as device:
            yield device

    async def ask(
        self, policy: str, allow: str, proxy: FaultProxy, questions: list[Utterance], *, slow: bool = False
    ) -> list[Asked]:
        """Each question in turn, in one call."""
        async with self._device(policy, allow, proxy) as device, _call(device) as caller:
            with slowed(device.workers()["llm"], SLOW_TIMES) if slow else contextlib.nullcontext():
                rows = [await caller.ask(question) for question in questions]
        self._tell(f"{policy}, {allow}, {proxy.fault}{', slow' if slow else ''}: {_summary(rows)}")
        return rows

    async def kill(self, policy: str, allow: str, proxy: FaultProxy, questions: list[Utterance]) -> dict[str, Any]:
        """The language model's worker is killed in the middle of each reply."""
        rows, gaps = list[Asked](), list[float]()
        async with self._device(policy, allow, proxy) as device, _call(device) as caller:
            for number in range(KILLS):
                await _until(lambda: "llm" in device.workers())
                await asyncio.sleep(1.0)
                pid = device.workers()["llm"]
                with slowed(pid, KILLED_SLOW_TIMES):
                    asking = asyncio.create_task(caller.ask(questions[number % len(questions)]))
                    await _until(lambda: caller.state == "speaking")
                    await asyncio.sleep(INTO_REPLY_S)
                    struck = time.monotonic()
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    rows.append(await asking)
                heard = [t for t in caller.heard_voiced() if t > struck - INTO_REPLY_S]
                gaps.append(float(np.diff(heard).max(initial=0.0)) * 1000)
        summary = {
            "kills": KILLS,
            "gap_p50_ms": round(float(np.median(gaps))),
            "gap_max_ms": round(max(gaps)),
            "repeats": sum(row.repeats for row in rows),
            "apologies": sum(row.apology for row in rows),
            "covered": sum(row.filler for row in rows),
            "lost": sum(row.ms is None for row in rows),
            "taken_up": sum(row.turn.get("route", {}).get("llm") == MODEL for row in rows),
        }
        self._tell(f"killed, {policy}, {allow}: {summary}")
        return summary

    async def gone(self, proxy: FaultProxy, questions: list[Utterance]) -> dict[str, Any]:
        """The provider refuses, and the worker dies as often as it starts."""
        rows, sounds = list[Asked](), list[int | None]()
        async with self._device("lag", "text", proxy) as device, _call(device) as caller:
            ended = asyncio.Event()

            async def keep_down() -> None:
                while not ended.is_set():
                    if (pid := device.workers().get("llm")) is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    await asyncio.sleep(0.1)

            killing = asyncio.create_task(keep_down())
            for question in questions:
                rows.append(await caller.ask(question))
                heard = [t for t in caller.heard_voiced() if t > caller.said_until]
                sounds.append(round((heard[0] - caller.said_until) * 1000) if heard else None)
            ended.set()
            await killing
            await _until(lambda: "llm" in device.workers())
            await asyncio.sleep(5.0)
            after = await caller.ask(questions[0])
        return {
            "asked": len(rows),
            "apologies": sum(row.apology for row in rows),
            "first_sound_ms": sounds,
            "longest_ms": max(sound if sound is not None else SILENT_MS for sound in sounds),
            "call_stays": after.ms is not None,
        }

    async def closed(self, allow: str, questions: list[Utterance], folder: Path) -> dict[str, Any]:
        """A device and its caller in a network of their own, a provider at its far end: what leaves it? Needs root."""
        dumpcap = shutil.which("dumpcap", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if dumpcap is None:
            raise DeviceError("dumpcap is missing", mend="Install Debian's tshark.")
        file, capture = self._folder / "frontdesk.toml", self._folder / "left.pcap"
        file.write_text(f'[cloud]\nallow = "{allow}"\nllm = "hedge"\n{PROVIDER.format(host=FAR, port=9)}')
        async with wire(Impairment()) as line:
            left = f"ip and not net 127.0.0.0/8 and not (src host {NEAR} and dst host {NEAR})"
            watch = await asyncio.create_subprocess_exec(
                *line.at(NEAR, dumpcap, "-q", "-i", "any", "-f", left, "-w", str(capture)),
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with running(config=file, prefix=line.at(NEAR)) as device:
                    ids = [question.id for question in questions]
                    asked = await separately(device.url, folder, ids, prefix=line.at(NEAR))
            finally:
                watch.terminate()
                await watch.wait()
        command = ("tshark", "-r", str(capture))
        packets = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        listed, _ = await packets.communicate()
        answered = sum(row["ms"] is not None for row in asked["asked"])
        found = {"turns": len(questions), "answered": answered, "packets_left": len(listed.splitlines())}
        self._tell(f"closed, {allow}: {found}")
        return found


@contextlib.asynccontextmanager
async def llama_server(weights: Path) -> AsyncIterator[int]:
    """llama-cpp-python's own server on a port of loopback. Raises DeviceError where it does not start."""
    port = free_port()
    options = {"model": weights, "model_alias": MODEL, "host": LOOPBACK, "port": port, "n_ctx": 4096, "n_threads": 2}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llama_cpp.server"),
        *(word for name, value in options.items() for word in (f"--{name}", str(value))),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _answering(f"http://{LOOPBACK}:{port}/v1/models", process)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _answering(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(int(SERVER_WITHIN_S / 0.2)):
            if process.returncode is not None:
                break
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.ok:
                        return
            await asyncio.sleep(0.2)
    raise DeviceError("llama_cpp.server does not start", mend="Install what `scripts/test` installs (dev.lock).")


async def _warm(port: int, instructions: str) -> None:
    talk = [{"role": "system", "content": instructions}, {"role": "user", "content": "Hello."}]
    async with aiohttp.ClientSession() as session:
        body = {"model": MODEL, "messages": talk, "max_tokens": 4}
        async with session.post(f"http://{LOOPBACK}:{port}/v1/chat/completions", json=body) as response:
            await response.read()


@contextlib.asynccontextmanager
async def _call(device: Device) -> AsyncIterator[Caller]:
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        yield caller
    finally:
        await caller.close()


def _summary(rows: list[Asked]) -> dict[str, Any]:
    answered = [row for row in rows if row.ms is not None]
    times = np.array([row.ms for row in answered] or [np.nan], float)
    cloud = [row for row in answered if row.turn["route"]["llm"] != "local"]
    return {
        "asked": len(rows),
        "lost": len(rows) - len(answered),
        "doubled": sum(row.repeats for row in rows),
        "right": sum(row.right for row in rows),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
        "fillers": sum(row.filler for row in rows),
        "cloud_share": round(len(cloud) / max(1, len(answered)), 3),
        "hedges_wasted": sum(row.turn["wasted_hedges"] for row in answered),
        "parts_p50_ms": [round(float(np.median([row.turn[p] for row in answered] or [np.nan]))) for p in PARTS],
    }


def _against(found: dict[str, Any], alone: list[Asked]) -> dict[str, Any]:
    """Beside the device alone, in health."""
    base = _summary(alone)
    return {
        **found,
        "ratio_p95": round(found["p95_ms"] / base["p95_ms"], 3),
        "added_ms": round(found["p50_ms"] - base["p50_ms"], 1),
    }


async def _until(done: Callable[[], object]) -> None:
    for _ in range(int(BACK_WITHIN_S / 0.02)):
        if done():
            return
        await asyncio.sleep(0.02)
