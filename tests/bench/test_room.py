"""The virtual room of the kiosk's benchmark, with the real PulseAudio: is it what it says?"""

from __future__ import annotations

import asyncio
import contextlib
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from appliance.bench.pulse import RATE, Capture, Playback, Pulse, pulse
from appliance.bench.room import BLOCK, BLOCK_MS, Acoustics, Convolver, Room, at_level, voiced_span
from appliance.dsp import soundfile
from appliance.terms.errors import DeviceError, EngineDown
from appliance.terms.units import Pcm, dbfs

WITHIN_S = 5.0


@contextlib.asynccontextmanager
async def room_with(acoustics: Acoustics) -> AsyncIterator[tuple[Pulse, Room]]:
    async with pulse() as server:
        room = await Room.open(server, acoustics)
        try:
            yield server, room
        finally:
            await room.close()


def noise(seconds: float, level_dbfs: float, seed: int = 1) -> Pcm:
    """(n,) int16 at 48 kHz."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 3000
    return at_level(samples.astype(np.int16), level_dbfs)


def play(server: str, pcm: Pcm) -> float:
    """To the loudspeaker, as a program does; returns when its first sample sounded, by the program's own reckoning."""
    playback = Playback(server, "spk", depth_ms=60, piece_ms=BLOCK_MS)
    began = time.monotonic() + playback.fill(0.04)
    for start in range(0, len(pcm), BLOCK):
        playback.write(pcm[start : start + BLOCK])
    playback.write(np.zeros(10 * BLOCK, np.int16))
    playback.close()
    return began


def hear(server: str, seconds: float) -> tuple[Pcm, float]:
    """What the microphone hears of the next seconds, (n,) int16 at 48 kHz, and when that began."""
    capture = Capture(server, "mic", piece_ms=BLOCK_MS)
    heard = capture.read(round(seconds * RATE))
    began = time.monotonic() - seconds
    capture.close()
    return heard, began


def recorded(folder: Path, name: str) -> Pcm:
    with wave.open(str(folder / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def children() -> set[int]:
    return {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


def lag(of: Pcm, after: Pcm) -> int:
    """By how many samples one follows the other."""
    size = 1 << (len(of) + len(after)).bit_length()
    found = np.fft.irfft(np.fft.rfft(of, size) * np.conj(np.fft.rfft(after, size)))
    at = int(np.argmax(np.abs(found)))
    return at if at < size // 2 else at - size


async def test_it_leaves_no_process_and_no_folder() -> None:
    async with pulse() as server:
        room = await Room.open(server)
        running, folder = room.pid, server.folder
        assert {running, server.pid} <= children()
        await room.close()
        assert running not in children()
        with pytest.raises(EngineDown):
            await room.stats()
    assert server.pid not in children()
    assert not folder.exists()


async def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeviceError, match="pulseaudio is missing"):
        async with pulse():
            pass


async def test_a_room_that_cannot_be_says_why() -> None:
    async with pulse() as server:
        with pytest.raises(DeviceError, match="shortest delay"):
            await Room.open(server, Acoustics(delay_ms=5))


@pytest.mark.parametrize(("delay_ms", "rt60_ms", "echo_db"), [(60.0, 0.0, -6.0), (150.0, 300.0, -12.0)])
async def test_what_is_played_comes_back_in_time_and_as_loud_as_told(
    tmp_path: Path, delay_ms: float, rt60_ms: float, echo_db: float
) -> None:
    async with room_with(Acoustics(delay_ms=delay_ms, rt60_ms=rt60_ms, echo_db=echo_db)) as (server, room):
        await room.record(tmp_path)
        hearing = asyncio.create_task(asyncio.to_thread(hear, server.server, 3.0))
        before = time.monotonic()
        began = await asyncio.to_thread(play, server.server, noise(1.5, -20))
        voiced = await room.voiced_after(before)
        heard, since = await hearing
        levels = await room.levels_after(before)
        stats = await room.stats()
        await room.record(None)
    spoken, air = recorded(tmp_path, "spoken"), recorded(tmp_path, "air")
    assert voiced[0] == pytest.approx(began, abs=0.03)
    assert 1.4 <= 0.02 * len(voiced) <= 1.6
    assert max(db for _, db in levels) == pytest.approx(-20, abs=1)
    first_heard = since + float(np.argmax(np.abs(heard) > 30)) / RATE
    assert 1000 * (first_heard - voiced[0]) == pytest.approx(delay_ms, abs=15)
    assert dbfs(air) - dbfs(spoken) == pytest.approx(echo_db, abs=1.5)
    assert stats["starved"] <= 1, "before it was steady"


async def test_the_visitor_is_heard_unaltered_at_the_time_it_says(tmp_path: Path) -> None:
    speech = np.concatenate([np.zeros(RATE // 4), noise(0.5, -25), np.zeros(RATE // 4)]).astype(np.int16)
    async with room_with(Acoustics()) as (server, room):
        await room.record(tmp_path)
        hearing = asyncio.create_task(asyncio.to_thread(hear, server.server, 2.0))
        said = await room.say(speech)
        louder = await room.say(speech, level_dbfs=-15)
        heard, since = await hearing
        await room.record(None)
    assert said.first_voiced == pytest.approx(said.began + 0.25, abs=0.02)
    assert said.last_voiced == pytest.approx(said.began + 0.75, abs=0.02)
    assert louder.began >= said.ended - 0.02
    at = lag(heard[:RATE], speech)
    assert np.array_equal(heard[at + RATE // 4 : at + 3 * RATE // 4], speech[RATE // 4 : 3 * RATE // 4])
    assert since + at / RATE == pytest.approx(said.began, abs=0.03)
    visitor = recorded(tmp_path, "visitor")
    assert np.array_equal(visitor, recorded(tmp_path, "air"))
    assert dbfs(visitor[-3 * RATE // 4 : -RATE // 2]) == pytest.approx(-15, abs=2)


async def test_noise_has_its_level_and_the_loudspeaker_stays_quiet(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.flac", noise(0.7, -10), RATE)
    acoustics = Acoustics(noise=str(tmp_path / "noise.flac"), noise_dbfs=-45)
    async with room_with(acoustics) as (server, room):
        heard, _ = await asyncio.to_thread(hear, server.server, 1.5)
        assert await room.quiet(0.5, WITHIN_S)
        assert await room.speaks(time.monotonic(), 0.1) is None
    assert dbfs(heard[RATE // 2 :]) == pytest.approx(-45, abs=0.5)


async def test_it_says_when_the_loudspeaker_speaks_and_obeys_its_volume() -> None:
    async with room_with(Acoustics()) as (server, room):
        before = time.monotonic()
        playing = asyncio.create_task(asyncio.to_thread(play, server.server, noise(0.5, -20)))
        assert await room.speaks(before, WITHIN_S) is not None
        assert not await room.quiet(0.3, 0.1)
        await playing
        assert await room.quiet(0.3, WITHIN_S)
        await server.volume(-12)
        softer = time.monotonic()
        await asyncio.to_thread(play, server.server, noise(0.3, -20))
        assert max(db for _, db in await room.levels_after(softer)) == pytest.approx(-32, abs=1)
        await server.mute(True)
        muted = time.monotonic()
        await asyncio.to_thread(play, server.server, noise(0.3, -20))
        assert max(db for _, db in await room.levels_after(muted)) < -90


async def test_a_device_that_is_pulled_out_fails_and_works_again() -> None:
    async with room_with(Acoustics()) as (server, room):
        hearing = asyncio.create_task(asyncio.to_thread(hear, server.server, 60.0))
        await room.click()
        await server.unplug("mic")
        with pytest.raises(DeviceError):
            await asyncio.wait_for(hearing, WITHIN_S)
        with pytest.raises(DeviceError):
            hear(server.server, 0.1)
        playing = asyncio.create_task(asyncio.to_thread(play, server.server, noise(20.0, -20)))
        assert await room.speaks(time.monotonic(), WITHIN_S) is not None
        await server.unplug("spk")
        with pytest.raises(DeviceError):
            await asyncio.wait_for(playing, WITHIN_S)
        await server.plug("spk")
        await server.plug("mic")
        back = time.monotonic()
        hearing = asyncio.create_task(asyncio.to_thread(hear, server.server, 0.5))
        await asyncio.to_thread(play, server.server, noise(0.2, -20))
        assert await room.voiced_after(back)
        assert len((await hearing)[0])


async def test_odd_devices_sound_the_same() -> None:
    async with pulse(rate=44_100, channels=8) as server:
        room = await Room.open(server)
        before = time.monotonic()
        await asyncio.to_thread(play, server.server, noise(0.5, -20))
        levels = [db for _, db in await room.levels_after(before)]
        await room.close()
    assert max(levels) == pytest.approx(-20, abs=1.5)


def test_partitioned_convolution_is_convolution() -> None:
    response = np.random.default_rng(2).standard_normal(3 * BLOCK + 7).astype(np.float32)
    sound = np.random.default_rng(3).standard_normal(8 * BLOCK).astype(np.float32)
    convolver = Convolver(response)
    out = np.concatenate([convolver.feed(sound[start : start + BLOCK]) for start in range(0, len(sound), BLOCK)])
    assert np.allclose(out, np.convolve(sound, response)[: len(sound)], atol=1e-3)


def test_silence_has_no_voiced_span() -> None:
    assert voiced_span(np.zeros(RATE, np.int16)) is None
