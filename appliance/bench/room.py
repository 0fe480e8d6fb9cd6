"""A room around a device: what its loudspeaker plays comes back to its microphone, a visitor speaks, there is noise.

`Room` is the bench's end. The room itself (`python -m appliance.bench.room SETTINGS`) is a process of its own, so that
nothing but the scheduler disturbs it: every 10 ms it reads what the loudspeaker plays, convolves that with an impulse
response, adds the rest and writes it for the microphone. It obeys JSON lines and answers with some.

All times are the monotonic clock's, which processes share, and are those of devices without latency of their own: when
a sample would have left the loudspeaker's cone, or reached the microphone's membrane.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import sys
import threading
import time
import wave
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.dsp import soundfile
from appliance.terms.errors import DeviceError, EngineDown, FrontdeskError
from appliance.terms.units import FRAME_MS, Pcm, dbfs, is_voiced, ms

from .pulse import MIC_AIR, RATE, SPEAKER_AIR, Capture, Playback, Pulse

BLOCK_MS = 10
BLOCK = RATE * BLOCK_MS // 1000
FRAME = RATE * FRAME_MS // 1000
LOOP_MS = 40.0
"""How long before its time a block is written. The acoustic delay is reckoned from the whole way, so this is its
minimum, and costs nothing else. With 20 ms the microphone heard gaps when both cores of the machine were busy."""
DEPTH_MS = round(LOOP_MS) + 4 * BLOCK_MS
SLACK_S, RESET_S, LOOK = 0.003, 0.01, 16
"""A queue so far from LOOP_MS, by the median of so many blocks, is drawn back by a sample a block, or at once: the
sinks' clocks may drift apart. A single stall mends itself, for what is written too late is lost; and where the server
stalled, what it says of the queue is wrong until it has caught up."""
LATE_S = 0.015
KEPT = 60_000
"""Blocks of the loudspeaker whose levels are known: ten minutes."""
WAITING = 64
"""Utterances that may wait."""
DIRECT_DB = 0.0
"""The direct sound against all reverberation, as for a microphone an arm's length from the loudspeaker."""
DRIVE = 3.0
ACTIVE_DB = 30.0
"""Frames so far below an utterance's loudest are its pauses, and not counted for its level."""
SILENT_DBFS = -200.0
SEED = 7
FULL = 32767.0
UP_WITHIN_S, POLL_S = 15.0, 0.02
LINE_BYTES = 8_000_000
FLOWING = 40
"""So many blocks, and the room is steady."""
NICE = -5
"""Where it is allowed: the program under test may use all of the machine."""

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """What the room does to sound."""

    delay_ms: float = 60.0
    """From the loudspeaker to the microphone; LOOP_MS at least."""
    rt60_ms: float = 250.0
    """0: there is no reverberation."""
    echo_db: float = -6.0
    """The echo's energy at the microphone against what is played."""
    nonlinear: bool = False
    """A small loudspeaker driven into its limits."""
    noise: str = ""
    """A sound file, played again and again."""
    noise_dbfs: float = -60.0
    """Its level; without a file it is silent."""

    def impulse_response(self) -> Samples:
        """(n,) float32 at 48 kHz, from LOOP_MS on: a direct sound and noise that decays by 60 dB in RT60."""
        if self.delay_ms < LOOP_MS:
            raise DeviceError(f"the room's shortest delay is {LOOP_MS:.0f} ms")
        tail = np.random.default_rng(SEED).standard_normal(round(self.rt60_ms / 1000 * RATE))
        tail *= 10.0 ** (-3.0 * np.arange(len(tail)) / max(1, len(tail)))
        tail *= 10.0 ** (-DIRECT_DB / 20) / max(1e-9, float(np.linalg.norm(tail)))
        whole = np.concatenate([np.zeros(round((self.delay_ms - LOOP_MS) / 1000 * RATE)), [1.0], tail])
        return np.asarray(whole / np.linalg.norm(whole) * 10.0 ** (self.echo_db / 20), np.float32)

    def noise_samples(self) -> Samples:
        """(n,) float32, full scale 1, at its level."""
        if not self.noise:
            return np.zeros(BLOCK, np.float32)
        pcm = soundfile.read(Path(self.noise), rate=RATE)
        return np.asarray(pcm / 32768.0 * 10.0 ** ((self.noise_dbfs - dbfs(pcm)) / 20), np.float32)


class Convolver:
    """Uniformly partitioned overlap-save convolution: a block in, the block of the same time out."""

    def __init__(self, response: Samples) -> None:
        parts = np.zeros((-(-len(response) // BLOCK), BLOCK), np.float32)
        parts.ravel()[: len(response)] = response
        self._response = np.fft.rfft(parts, 2 * BLOCK)
        self._history = np.zeros_like(self._response)
        self._last = np.zeros(BLOCK, np.float32)

    def feed(self, block: Samples) -> Samples:
        """(480,) float32 each."""
        self._history = np.roll(self._history, 1, axis=0)
        self._history[0] = np.fft.rfft(np.concatenate([self._last, block]))
        self._last = block
        mixed = np.einsum("ij,ij->j", self._history, self._response)
        return np.fft.irfft(mixed)[BLOCK:].astype(np.float32)


def voiced_span(pcm: Pcm) -> tuple[int, int] | None:
    """The first and the last voiced sample of (n,) int16 at 48 kHz; None for silence."""
    voiced = [start for start in range(0, len(pcm), FRAME) if is_voiced(pcm[start : start + FRAME])]
    return (voiced[0], min(voiced[-1] + FRAME, len(pcm))) if voiced else None


def at_level(pcm: Pcm, level_dbfs: float) -> Pcm:
    """With this RMS level where it is not a pause."""
    levels = np.array([dbfs(pcm[start : start + FRAME]) for start in range(0, len(pcm), FRAME)])
    active = levels[levels > levels.max(initial=-math.inf) - ACTIVE_DB]
    level = 10.0 * math.log10(float(np.mean(10.0 ** (active / 10.0)))) if len(active) else level_dbfs
    return np.asarray(np.clip(pcm * 10.0 ** ((level_dbfs - level) / 20), -FULL, FULL), np.int16)


@dataclass(slots=True, kw_only=True)
class _Utterance:
    id: int
    pcm: Pcm
    span: tuple[int, int] | None
    at: float = 0.0
    """When its first sample reaches the microphone."""
    said: int = 0
    """Samples of it."""


class _Air:
    """The process: its main thread carries sound, another one takes orders."""

    def __init__(self, server: str, acoustics: Acoustics) -> None:
        self._speaker = Capture(server, f"{SPEAKER_AIR}.monitor", piece_ms=BLOCK_MS)
        self._mic = Playback(server, MIC_AIR, depth_ms=DEPTH_MS, piece_ms=BLOCK_MS)
        self._echo = Convolver(acoustics.impulse_response())
        self._nonlinear = acoustics.nonlinear
        noise = acoustics.noise_samples()
        self._noise, self._noise_at = np.concatenate([noise, noise[:BLOCK]]), 0
        self._utterances: deque[_Utterance] = deque()
        self._levels: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._voiced: deque[float] = deque(maxlen=KEPT)
        self._before: Pcm | None = None
        self._at = 0.0
        """When the last block from the loudspeaker began."""
        self._origins: deque[float] = deque(maxlen=1000 // BLOCK_MS)
        self._queued: deque[float] = deque(maxlen=LOOK)
        self._files: tuple[wave.Wave_write, ...] = ()
        self._lock = threading.Lock()
        """Of the files and the logs; held for moments."""
        self._telling = threading.Lock()
        self._stats = {"blocks": 0, "late": 0, "starved": 0, "resets": 0, "drawn_samples": 0, "queued_ms": 0.0}
        self._closing = False

    def run(self) -> None:
        threading.Thread(target=self._obey, daemon=True).start()
        self._tell({"connected": True})
        self._speaker.read(BLOCK)
        self._mic.fill(LOOP_MS / 1000)
        while not self._closing:
            spoken = self._speaker.read(BLOCK)
            self._hear(spoken, time.monotonic())
            visitor, utterance = self._visitor()
            air = self._mixed(spoken, visitor)
            queued_s = self._write(air)
            if utterance is not None:
                self._tell_of(utterance, time.monotonic() + queued_s)
            with self._lock:
                for file, pcm in zip(self._files, (spoken, air, visitor), strict=False):
                    file.writeframesraw(pcm.tobytes())
        self._record(None)
        self._speaker.close()
        self._mic.close()

    def _hear(self, spoken: Pcm, now: float) -> None:
        # The server hands a block over when its first sample is due, or later: the earliest of the last second is
        # nearest to the truth. Of all time it would not be, for after a long stall the server's clock may have slipped.
        elapsed = self._stats["blocks"] * BLOCK_MS / 1000
        self._origins.append(now - elapsed)
        self._at = min(self._origins) + elapsed
        self._stats["late"] += now - self._at > LATE_S
        self._stats["blocks"] += 1
        with self._lock:
            self._levels.append((self._at, dbfs(spoken)))
            if self._before is None:
                self._before = spoken
                return
            if is_voiced(np.concatenate([self._before, spoken])):
                self._voiced.append(self._at - BLOCK_MS / 1000)
            self._before = None

    def _visitor(self) -> tuple[Pcm, _Utterance | None]:
        """Of what the visitor says the next block, and whose it is."""
        block = np.zeros(BLOCK, np.int16)
        if not self._utterances:
            return block, None
        utterance = self._utterances[0]
        piece = utterance.pcm[utterance.said : utterance.said + BLOCK]
        block[: len(piece)] = piece
        return block, utterance

    def _mixed(self, spoken: Pcm, visitor: Pcm) -> Pcm:
        played = spoken.astype(np.float32) / 32768.0
        if self._nonlinear:
            played = np.tanh(DRIVE * played) / np.float32(DRIVE) * np.float32(1.2)
        noise = self._noise[self._noise_at : self._noise_at + BLOCK]
        self._noise_at = (self._noise_at + BLOCK) % (len(self._noise) - BLOCK)
        mixed = (self._echo.feed(played) + noise) * 32768.0 + visitor
        return np.asarray(np.clip(np.rint(mixed), -FULL - 1, FULL), np.int16)

    def _write(self, air: Pcm) -> float:
        """Returns how long from now until all of it is heard."""
        queued_s = self._mic.queued_s
        self._queued.append(queued_s)
        self._stats["starved"] += queued_s == 0.0
        off_s = sorted(self._queued)[len(self._queued) // 2] - LOOP_MS / 1000
        tolerated_s = RESET_S if self._stats["blocks"] > FLOWING - LOOK else SLACK_S / 2
        if len(self._queued) == LOOK and abs(off_s) > tolerated_s:
            self._stats["resets"] += 1
            self._queued.clear()
            queued_s = self._mic.fill(LOOP_MS / 1000)
            air = air[: max(0, BLOCK - round((queued_s - LOOP_MS / 1000) * RATE))]
        elif abs(off_s) > SLACK_S:
            self._stats["drawn_samples"] += 1
            air = air[1:] if off_s > 0 else np.append(air, air[-1:])
        if len(air):
            self._mic.write(air)
        self._stats["queued_ms"] = ms(queued_s)
        return queued_s + len(air) / RATE

    def _tell_of(self, utterance: _Utterance, heard: float) -> None:
        if not utterance.said:
            utterance.at = heard - BLOCK_MS / 1000
        utterance.said += BLOCK
        if utterance.said < len(utterance.pcm):
            return
        self._utterances.popleft()
        first, last = (utterance.at + edge / RATE for edge in utterance.span) if utterance.span else (None, None)
        self._tell({"id": utterance.id, "began": utterance.at, "first": first, "last": last, "heard": heard})

    def _obey(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            answer = self._answer(order)
            if answer is not None:
                self._tell({"id": order["id"], **answer})
        self._closing = True

    def _answer(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """None: it is answered once it is done."""
        match order["do"]:
            case "say":
                pcm = np.fromfile(order["file"], np.int16)
                if len(self._utterances) >= WAITING or not len(pcm):
                    return {"error": "the visitor has nothing to say, or too much"}
                self._utterances.append(_Utterance(id=order["id"], pcm=pcm, span=voiced_span(pcm)))
                return None
            case "voiced":
                with self._lock:
                    late = list(takewhile(lambda at: at >= order["since"], reversed(self._voiced)))
                return {"voiced": late[::-1], "until": self._at}
            case "levels":
                with self._lock:
                    blocks = list(takewhile(lambda block: block[0] >= order["since"], reversed(self._levels)))
                return {"levels": [(at, max(db, SILENT_DBFS)) for at, db in reversed(blocks)]}
            case "record":
                self._record(Path(order["folder"]) if order["folder"] else None)
        return dict(self._stats)

    def _record(self, folder: Path | None) -> None:
        with self._lock:
            for file in self._files:
                file.close()
            names = ("spoken.wav", "air.wav", "visitor.wav") if folder is not None else ()
            self._files = tuple(wave.Wave_write(str((folder or Path()) / name)) for name in names)
            for file in self._files:
                file.setparams((1, 2, RATE, 0, "NONE", ""))

    def _tell(self, message: dict[str, Any]) -> None:
        with self._telling:
            print(json.dumps(message), flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """When what the visitor said was heard at the microphone."""

    began: float
    ended: float
    first_voiced: float | None
    last_voiced: float | None
    """The end of the last voiced frame."""


class Room:
    """`await Room.open(…)`, and `close` at last. Its speaker and microphone belong to a `Pulse` of one room."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._folder = folder
        self._process = process
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._reading: asyncio.Task[None]

    @classmethod
    async def open(cls, pulse: Pulse, acoustics: Acoustics | None = None) -> Room:
        """Before the program under test opens its streams: they would stop for a moment. Raises DeviceError."""
        settings = json.dumps({"server": pulse.server, **asdict(acoustics or Acoustics())})
        await pulse.suspend(True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "appliance.bench.room", settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        room = cls(pulse.folder, process)
        try:
            async with asyncio.timeout(UP_WITHIN_S):
                assert process.stdout is not None
                greeting = json.loads(await process.stdout.readline() or "{}")
                if "connected" not in greeting:
                    raise DeviceError(f"the room does not open: {greeting.get('error', 'its process died')}")
                room._reading = asyncio.create_task(room._read(process.stdout))
                await pulse.suspend(False)
                await room._flowing()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return room

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), UP_WITHIN_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def say(self, pcm: Pcm, level_dbfs: float | None = None) -> Said:
        """(n,) int16 at 48 kHz, at a level (of what is no pause) or as it is; returns when all of it has been heard.

        What is said meanwhile waits.
        """
        path = self._folder / f"said-{self._count}"
        (pcm if level_dbfs is None else at_level(pcm, level_dbfs)).astype(np.int16).tofile(path)
        try:
            told = await self._do("say", file=str(path))
        finally:
            path.unlink(missing_ok=True)
        await asyncio.sleep(max(0.0, told["heard"] - time.monotonic()))
        return Said(began=told["began"], ended=told["heard"], first_voiced=told["first"], last_voiced=told["last"])

    async def click(self) -> float:
        """The visitor claps hands, for 1 ms at full scale; returns when that was heard."""
        clap = np.concatenate([np.full(RATE // 1000, int(FULL)), np.zeros(BLOCK)])
        return (await self.say(clap.astype(np.int16))).began

    async def voiced_after(self, at: float) -> list[float]:
        """When the loudspeaker's voiced frames (20 ms) began that began after `at`, of the last ten minutes."""
        return list((await self._do("voiced", since=at))["voiced"])

    async def levels_after(self, at: float) -> list[tuple[float, float]]:
        """The loudspeaker's blocks (10 ms) since `at`: when each began, its level in dBFS (−200 for silence)."""
        return [(began, db) for began, db in (await self._do("levels", since=at))["levels"]]

    async def speaks(self, after: float, within_s: float) -> float | None:
        """When the loudspeaker's first voiced frame after `after` began; None where there is none for `within_s`."""
        while True:
            told = await self._do("voiced", since=after)
            if told["voiced"]:
                return float(told["voiced"][0])
            if told["until"] > after + within_s:
                return None
            await asyncio.sleep(POLL_S)

    async def quiet(self, for_s: float, within_s: float) -> bool:
        """Wait until the loudspeaker has not been voiced for so long; False where that takes longer than allowed."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            told = await self._do("voiced", since=time.monotonic() - for_s - FRAME_MS / 1000)
            if not told["voiced"]:
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def record(self, folder: Path | None) -> None:
        """From now on into `spoken.wav`, `air.wav` and `visitor.wav` there, 48 kHz and aligned; None: no longer.

        What is spoken comes back in the air LOOP_MS earlier than it did to the microphone.
        """
        if folder is not None:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await self._do("record", folder=str(folder) if folder else "")

    async def stats(self) -> dict[str, float]:
        """How the room itself fared; LOOP_MS is what it takes by itself, `queued_ms` should say the same.

        `late`: blocks that came 15 ms too late; `starved`: the microphone heard a gap; `resets`, `drawn_samples`: what
        was done against drift.
        """
        return await self._do("stats")

    async def _flowing(self) -> None:
        for _ in range(int(UP_WITHIN_S / POLL_S)):
            if (await self.stats())["blocks"] >= FLOWING:
                return
            await asyncio.sleep(POLL_S)

    async def _do(self, what: str, **details: object) -> dict[str, Any]:
        """Raises EngineDown where the room is no more, DeviceError where it refuses."""
        if self._process.returncode is not None or self._reading.done():
            raise EngineDown("the room is closed, or its process died")
        self._count += 1
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, "id": self._count, **details}).encode() + b"\n")
        found: dict[str, Any] = await answer
        if "error" in found:
            raise DeviceError(f"the room: {found['error']}")
        return found

    async def _read(self, stdout: asyncio.StreamReader) -> None:
        while line := await stdout.readline():
            told = json.loads(line)
            answer = self._answers.pop(told["id"], None)
            if answer is not None and not answer.done():
                answer.set_result(told)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(EngineDown("the room's process died"))


def main() -> None:
    settings = json.loads(sys.argv[1])
    with suppress(OSError):
        os.nice(NICE)
    try:
        air = _Air(settings.pop("server"), Acoustics(**settings))
        gc.freeze()
        air.run()
    except FrontdeskError as error:  # of the owner's: a bad setting, or PulseAudio is gone
        print(json.dumps({"id": 0, "error": str(error)}), flush=True)


if __name__ == "__main__":
    main()
