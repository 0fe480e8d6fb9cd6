"""The device as its callers know it: a running daemon, real models, real WebRTC."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from appliance.app.daemon import Daemon
from appliance.bench.caller import Caller
from appliance.bench.device import Device, running
from appliance.bench.utterances import Utterance
from appliance.doors.webrtc import WebrtcDoor
from appliance.terms.config import Config, HttpConfig

pytestmark = pytest.mark.model

FREED_WITHIN_S = 15.0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until_free(http: aiohttp.ClientSession, device: Device) -> None:
    """Until the lines of earlier calls are given back."""
    offer = await audio_offer()
    for _ in range(int(FREED_WITHIN_S / 0.5)):
        async with http.post(f"{device.url}api/offer", json={**offer, "sdp": "m=audio"}) as response:
            if response.status != 503:
                return
        await asyncio.sleep(0.5)
    raise AssertionError("a line was never given back")


def alive(*pids: int) -> bool:
    return any(Path(f"/proc/{pid}").exists() for pid in pids)


def children(pid: int) -> list[int]:
    lists = [tasks.read_text().split() for tasks in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for of_one in lists for child in of_one]


async def audio_offer(*, video: bool = False) -> dict[str, str]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video" if video else "audio")
    await peer.setLocalDescription(await peer.createOffer())
    offer = {"sdp": peer.localDescription.sdp, "type": "offer"}
    await peer.close()
    return offer


async def test_a_caller_is_greeted_and_answered(device: Device, utterances: dict[str, Utterance]) -> None:
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        asked = await caller.ask(utterances["wifi"])
    finally:
        await caller.close()
    assert asked.ms is not None
    assert asked.right, asked.turn
    assert not asked.cut_in
    parts = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")
    assert asked.turn["e2a_ms"] == pytest.approx(sum(asked.turn[part] for part in parts), abs=0.2)


@pytest.mark.parametrize("engine", ["stt", "llm", "tts", "sense"])
async def test_a_call_survives_the_death_of(engine: str, device: Device, utterances: dict[str, Utterance]) -> None:
    """kill -9 while the caller speaks: that very question is answered within 10 s, and so is the next."""
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        asking = asyncio.create_task(caller.ask(utterances["parking"]))
        await asyncio.sleep(1.0)
        os.kill(device.workers()[engine], signal.SIGKILL)
        first = await asking
        second = await caller.ask(utterances["manager"])
    finally:
        await caller.close()
    assert first.ms is not None, first
    assert first.ms < 10_000
    assert second.ms is not None, second
    assert second.right, second.turn
    assert second.turn["turn"] == 2


async def test_an_interruption_ends_a_reply_and_a_murmur_does_not(
    device: Device, utterances: dict[str, Utterance]
) -> None:
    caller = Caller(device.url)
    await caller.connect()
    try:
        await caller.hear_greeting()
        murmured = await caller.speak_over(utterances["open"], utterances["murmur-okay"])
        assert not murmured.interrupted
        assert "1" in murmured.turn["reply"], "it went on to its end"
        interrupted = await caller.speak_over(utterances["open"], utterances["barge-wifi"])
        assert interrupted.interrupted
        assert interrupted.answered
        assert interrupted.silent_ms is not None
        assert utterances["barge-wifi"].right(interrupted.reply), interrupted.reply
    finally:
        await caller.close()


async def test_a_third_caller_is_told_that_all_lines_are_taken(
    device: Device, http: aiohttp.ClientSession, utterances: dict[str, Utterance]
) -> None:
    callers = [Caller(device.url), Caller(device.url)]
    await asyncio.gather(*(caller.connect() for caller in callers))
    try:
        async with http.post(f"{device.url}api/offer", json=await audio_offer()) as response:
            assert response.status == 503
            assert (await response.json())["error"] == "busy"
    finally:
        await asyncio.gather(*(caller.close() for caller in callers))
    await until_free(http, device)


async def test_a_caller_comes_back_to_the_same_call(device: Device, utterances: dict[str, Utterance]) -> None:
    """As a page does whose line broke, or that was loaded anew; the device had not noticed yet."""
    lost = Caller(device.url)
    await lost.connect()
    back = Caller(device.url, resume=lost.resume)
    try:
        await lost.hear_greeting()
        first = await lost.ask(utterances["manager"])
        await back.connect()
        assert back.call == lost.call
        assert back.resume != lost.resume
        await back.hear_greeting()
        second = await back.ask(utterances["wifi"])
    finally:
        await lost.close()
        await back.close()
    assert (first.turn["turn"], second.turn["turn"]) == (1, 2)
    assert second.right, second.turn
    again = Caller(device.url, resume=lost.resume)  # a token is good once
    await again.connect()
    assert again.call != lost.call
    await again.close()


async def test_a_device_that_stops_says_goodbye(utterances: dict[str, Utterance]) -> None:
    async with running() as device:
        caller = Caller(device.url)
        await caller.connect()
        await caller.hear_greeting()
        os.kill(device.pid, signal.SIGTERM)
        heard = len(caller.heard_voiced())
        await caller.until_ended(15.0)
        assert len(caller.heard_voiced()) - heard > 50  # a second of speech
        await caller.close()


async def test_whip(device: Device, http: aiohttp.ClientSession) -> None:
    sdp = (await audio_offer())["sdp"]
    whip = f"{device.url}whip"
    async with http.post(whip, data=sdp, headers={"Content-Type": "application/sdp"}) as response:
        assert response.status == 201
        assert response.content_type == "application/sdp"
        assert "m=audio" in await response.text()
        location = response.headers["Location"]
    async with http.delete(f"{device.url}whip/guessed") as response:
        assert response.status == 404
    async with http.delete(f"{device.url.rstrip('/')}{location}") as response:
        assert response.status == 200
    async with http.delete(f"{device.url.rstrip('/')}{location}") as response:
        assert response.status == 404
    async with http.post(whip, data=sdp, headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 415
    async with http.post(whip, data=b"\xff", headers={"Content-Type": "application/sdp"}) as response:
        assert response.status == 400
    await until_free(http, device)


async def test_candidates_may_follow_the_offer(device: Device, http: aiohttp.ClientSession) -> None:
    offer = await audio_offer()
    bare = "\r\n".join(line for line in offer["sdp"].splitlines() if "a=candidate" not in line) + "\r\n"
    async with http.post(f"{device.url}api/offer", json={**offer, "sdp": bare}) as response:
        call = (await response.json())["call"]
    candidate = {
        "candidate": "candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host",
        "sdpMid": "0",
        "sdpMLineIndex": 0,
    }
    end = {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}
    for status, body in (
        (204, {"call": call, "candidates": [candidate, end]}),
        (404, {"call": "unknown", "candidates": [candidate]}),
        (400, {"call": call, "candidates": [{"candidate": "candidate:nonsense"}]}),
        (400, {"call": call}),
        (400, [call]),
    ):
        async with http.patch(f"{device.url}api/offer", json=body) as response:
            assert response.status == status, body
    await until_free(http, device)


BAD_BODIES: dict[str, Any] = {
    "no JSON": b"garbage",
    "no object": b"[1, 2]",
    "nothing": b"",
    "no type": b'{"sdp": "v=0"}',
    "an answer": b'{"sdp": "v=0\\r\\nm=audio 9 x 0\\r\\n", "type": "answer"}',
    "no audio": b'{"sdp": "v=0\\r\\n", "type": "offer"}',
    "bad SDP": b'{"sdp": "v=0\\r\\nm=audio x y z\\r\\na=\\r\\n", "type": "offer"}',
    "a number": b'{"sdp": 5, "type": "offer"}',
    "deep JSON": b"[" * 60_000,
    "10 MB": b"x" * 10_000_000,
    "not UTF-8": b'\xff\xfe{"sdp": 1}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_offer_is_refused_with_a_reason(name: str, device: Device, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{device.url}api/offer", data=BAD_BODIES[name]) as response:
        assert response.status == 400
        body = await response.json()
        assert body["error"] == "offer"
        assert body["message"].endswith(".") or ":" in body["message"]


async def test_an_offer_of_video_alone_is_refused(device: Device, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{device.url}api/offer", json=await audio_offer(video=True)) as response:
        assert response.status == 400
    await until_free(http, device)


async def test_what_can_change_is_read_again_and_the_rest_refused_by_name(
    tmp_path: Path, http: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str], utterances: dict[str, Utterance]
) -> None:
    knowledge, config = tmp_path / "mill.md", tmp_path / "frontdesk.toml"
    knowledge.write_text("# The Old Mill\n\nThe Wi-Fi password is yellow duck 7.")
    config.write_text("")

    async def until(done: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(100):
            if await done():
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it never came")

    async def page_says(words: str) -> bool:
        async with http.get(device.url) as response:
            return words in await response.text()

    async with running({"FRONTDESK_LIMITS__CALLS": "1"}, config=config) as device:
        config.write_text(f'[agent]\nknowledge = "{knowledge}"\n')
        os.kill(device.pid, signal.SIGHUP)
        await until(lambda: page_says("The Old Mill"))
        caller = Caller(device.url)
        await caller.connect()
        await caller.hear_greeting()
        asked = await caller.ask(utterances["wifi"])
        await caller.close()
        assert "yellow duck" in asked.turn["reply"].lower()

        for wrong, words in (
            ("[stt]\nthreads = 1", "stt.threads cannot change"),
            ("[agent]\nknowlege = 1", "did you mean agent.knowledge?"),
        ):
            config.write_text(wrong)
            os.kill(device.pid, signal.SIGHUP)
            told = ""

            async def heard(words: str = words) -> bool:
                nonlocal told
                told += capfd.readouterr().err
                return words in told

            await until(heard)
        assert await page_says("The Old Mill")


async def test_an_edit_of_the_owners_files_is_in_force_within_10_s_and_disturbs_no_call(
    tmp_path: Path, utterances: dict[str, Utterance]
) -> None:
    knowledge, config = tmp_path / "knowledge", tmp_path / "frontdesk.toml"
    knowledge.mkdir()
    (knowledge / "mill.md").write_text("# The Old Mill\n\nThe Wi-Fi password is yellow duck 7.")
    config.write_text(f'[agent]\nknowledge = "{knowledge}"\n')
    async with running({"FRONTDESK_LIMITS__CALLS": "2"}, config=config) as device:
        before, after = Caller(device.url), Caller(device.url)
        await before.connect()
        await before.hear_greeting()
        (knowledge / "mill.md").write_text("# The Old Mill\n\nThere is a lift.")
        (knowledge / "house.csv").write_text("what,word\nWi-Fi password,green goose\n")
        (knowledge / "photo.txt").write_bytes(b"\xff\xd8\xff\xe0")
        knew = await before.ask(utterances["wifi"])
        await asyncio.sleep(10.0 - (knew.ms or 0) / 1000)
        await after.connect()
        await after.hear_greeting()
        knows = await after.ask(utterances["wifi"])
        still = await before.ask(utterances["wifi"])
        await asyncio.gather(before.close(), after.close())
    assert "yellow duck" in knew.turn["reply"].lower()
    assert "green goose" in knows.turn["reply"].lower()
    assert "yellow duck" in still.turn["reply"].lower(), "a call keeps what it began with"
    assert knows.turn["source"] == "house.csv:2"


async def test_health_and_headers(device: Device, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{device.url}healthz") as response:
        assert response.status == 200
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    async with http.get(f"{device.url}readyz") as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "missing": []})
    async with http.get(device.url) as response:
        assert "Harbour House" in await response.text()
    async with http.get(f"{device.url}pages/../server.py") as response:
        assert response.status == 404


async def test_other_sites_may_not_use_the_device(device: Device, http: aiohttp.ClientSession) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        async with http.get(device.url, headers=headers) as response:
            assert response.status == 403


async def test_it_stops_with_its_workers_and_frees_its_port() -> None:
    async with running() as device:
        workers = device.workers()
        assert workers.keys() == {"stt", "llm", "tts", "sense"}
    assert not alive(device.pid, *workers.values())


async def test_a_part_that_does_not_stop_keeps_nothing_else_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that is asked to stop raises: the workers, the port and the disk's threads are given back even so."""

    async def refuse(door: WebrtcDoor) -> None:
        raise RuntimeError("a bug of ours")

    others = set(children(os.getpid()))
    daemon = Daemon(Config(http=HttpConfig(port=0)), tmp_path, lambda event: None)
    await daemon.start()
    workers = set(children(os.getpid())) - others
    monkeypatch.setattr(WebrtcDoor, "close", refuse)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        await daemon.stop()
    assert len(workers) >= 4
    assert not alive(*workers)
    assert "disk" not in {thread.name for thread in threading.enumerate()}


async def test_workers_die_with_a_killed_parent() -> None:
    async with running() as device:
        workers = device.workers()
        os.kill(device.pid, signal.SIGKILL)
        for _ in range(50):
            if not alive(*workers.values()):
                break
            await asyncio.sleep(0.1)
    assert not alive(*workers.values())


def frontdesk(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.app.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environ}
    )


def test_a_port_in_use_is_named_with_its_mend(device: Device) -> None:
    port = device.url.rstrip("/").rsplit(":", 1)[1]
    done = frontdesk("run", FRONTDESK_HTTP__PORT=port)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "http.port" in done.stderr
    checked = frontdesk("check", FRONTDESK_HTTP__PORT=port)
    assert checked.returncode == 1
    assert "BAD  http" in checked.stdout


def test_a_missing_model_is_named_with_its_mend(tmp_path: Path) -> None:
    done = frontdesk("run", FRONTDESK_MODELS__DIR=str(tmp_path))
    assert done.returncode == 1
    assert "is missing" in done.stderr
    assert "frontdesk models pull" in done.stderr


def test_a_model_that_is_none_is_told(tmp_path: Path, models: Path) -> None:
    """Right in size but not in content: only the engine finds out, and says so."""
    for name in ("whisper-tiny.en", "en_US-joe-medium", "smart-turn-v3.2", "all-minilm-l6-v2"):
        (tmp_path / name).symlink_to(models / name)
    real = next((models / "qwen2.5-0.5b").glob("*.gguf"))
    (tmp_path / "qwen2.5-0.5b").mkdir()
    with (tmp_path / "qwen2.5-0.5b" / real.name).open("wb") as file:
        file.truncate(real.stat().st_size)
    done = frontdesk("ask", "--text", "Hello", FRONTDESK_MODELS__DIR=str(tmp_path))
    assert done.returncode == 1
    assert "llm is not ready" in done.stderr
    assert real.name in done.stderr


def test_check_is_content_when_all_is_well() -> None:
    done = frontdesk("check", "--json", FRONTDESK_HTTP__PORT="0")
    assert done.returncode == 0, done.stdout


async def test_a_second_signal_stops_at_once(utterances: dict[str, Utterance]) -> None:
    async with running() as device:
        caller = Caller(device.url)
        await caller.connect()
        await caller.hear_greeting()
        asking = asyncio.create_task(caller.ask(utterances["open"]))
        await asyncio.sleep(3.0)
        began = asyncio.get_running_loop().time()
        os.kill(device.pid, signal.SIGTERM)
        await asyncio.sleep(0.5)
        os.kill(device.pid, signal.SIGTERM)
        for _ in range(100):
            if not alive(device.pid):
                break
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() - began < 8.0
        asking.cancel()
        await caller.close()
