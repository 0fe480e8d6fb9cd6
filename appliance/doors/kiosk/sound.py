"""The kiosk's sound: both devices opened, watched and opened again, their two sides brought together in the event loop.

Everything here runs in the loop but PortAudio's callbacks, which append to bounded deques (an append is atomic), and
what is asked of PortAudio, which has a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from appliance.dsp.echo import EchoCanceller
from appliance.dsp.resample import Resampler
from appliance.terms.clock import Clock
from appliance.terms.config import KioskConfig
from appliance.terms.errors import DeviceError
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm

from .devices import RATE, Kind, choose, devices, portaudio, start_again
from .health import RealRate, Silence, Unheard
from .streams import BLOCK_S, Loudspeaker, Microphone

log = logging.getLogger(__name__)

AnyStream = TypeVar("AnyStream", Microphone, Loudspeaker)
Result = TypeVar("Result")

RING_S = 0.5
MOST_BLOCKS = 50
"""Half a second of callbacks; more, and the loop stood still: the oldest give way."""
LOOK_S = 0.2
LOST_S = 0.5
"""No callback for so long: the device is gone, whatever PortAudio says."""
RETRY_S = 0.7
CLOSE_WITHIN_S = 3.0
FRAME_S = 0.02
KINDS: tuple[Kind, Kind] = ("microphone", "loudspeaker")
SILENT, UNHEARD = "microphone.silent", "loudspeaker.unheard"
MISSING: dict[Kind, str] = {"microphone": "microphone.missing", "loudspeaker": "loudspeaker.missing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """20 ms of the room. `pcm`: without our own voice and the noise; `raw`: as the microphone had it; `played`: what
    the loudspeaker was last given; each (320,) int16, 16 kHz."""

    pcm: Pcm
    raw: Pcm
    played: Pcm
    at: float


class Sound:
    """`hear` is told every 20 ms of the room, and silence where there is no microphone: time goes on without it.

    `changed` is told when a device was lost, found or turned out not to work.
    """

    rate = RATE
    """What `play` takes, whatever the loudspeaker has."""

    def __init__(
        self,
        config: KioskConfig,
        clock: Clock,
        hear: Callable[[Heard], None],
        changed: Callable[[Kind, bool, str], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._hear = hear
        self._changed = changed
        self._sound: Any = None
        self._portaudio = ThreadPoolExecutor(1, "portaudio")
        """All that is asked of PortAudio, one after the other: it may take a tenth of a second, or hang."""
        self._microphone: Microphone | None = None
        self._loudspeaker: Loudspeaker | None = None
        self._captured: deque[Pcm] = deque(maxlen=MOST_BLOCKS)
        self._emitted: deque[Pcm] = deque(maxlen=MOST_BLOCKS)
        self._echo = EchoCanceller(config.noise)
        self._in, self._out, self._reference = (Resampler(RATE, rate) for rate in (CAPTURE_RATE, RATE, CAPTURE_RATE))
        self._raw, self._clean, self._last_played = (np.zeros(0, np.int16) for _ in range(3))
        self._silence, self._unheard = Silence(), Unheard()
        self._real: dict[Kind, RealRate] = {}
        self._missing: set[Kind] = set()
        self._told: dict[Kind, str] = {}
        self._heard_at = 0.0
        self._xruns = 0
        """Of streams that are closed."""
        self._before_s = 0.0
        """What earlier loudspeakers have played."""
        self._unplayed = 0
        """Samples at `rate` that nothing plays, and that count as played as time goes on."""
        self._tasks: list[asyncio.Task[None]] = []
        self._retry_at = 0.0

    # --- what the door does with it

    async def start(self) -> None:
        """Raises DeviceError where PortAudio is missing; that of a device is told to `changed`, and goes on."""
        self._sound = portaudio()
        await self._open()
        self._tasks = [asyncio.create_task(work, name="kiosk sound") for work in (self._watch(), self._go_on())]
        for task in self._tasks:
            task.add_done_callback(told)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._close([end for end in (self._microphone, self._loudspeaker) if end is not None])
        self._portaudio.shutdown(wait=False, cancel_futures=True)

    def play(self, pcm: Pcm) -> None:
        """Queue (n,) int16 at `rate`."""
        if self._loudspeaker is None:
            self._unplayed += len(pcm)
        else:
            self._loudspeaker.ring.put(self._out.feed(pcm))

    def flush(self) -> None:
        self._unplayed = 0
        if self._loudspeaker is not None:
            self._loudspeaker.ring.clear()

    @property
    def queued_ms(self) -> float:
        speaker = self._loudspeaker
        waiting_s = self._unplayed / RATE if speaker is None else speaker.ring.waiting / speaker.rate
        return waiting_s * 1000

    @property
    def played_samples(self) -> int:
        """At `rate`, since the start."""
        speaker = self._loudspeaker
        return round((self._before_s + (0.0 if speaker is None else speaker.ring.taken / speaker.rate)) * RATE)

    @property
    def problem(self) -> str:
        """Why there can be no conversation: a reason as `KioskChanged` has it, or empty."""
        return next((why for kind in KINDS if (why := self._why(kind)) not in ("", UNHEARD)), "")

    def about(self) -> dict[str, Any]:
        """How it stands, for the device's state."""
        ends = {"microphone": self._microphone, "loudspeaker": self._loudspeaker}
        return {
            **{name: None if end is None else end.name for name, end in ends.items()},
            "latency_ms": {name: None if end is None else end.latency_ms for name, end in ends.items()},
            "xruns": self._xruns + sum(end.xruns for end in ends.values() if end is not None),
            "gaps": 0 if self._loudspeaker is None else self._loudspeaker.gaps,
            "dropped": 0 if self._loudspeaker is None else self._loudspeaker.ring.dropped,
            "echo_steps": self._echo.steps,
        }

    # --- devices

    async def _watch(self) -> None:
        """Notice what is lost, and have it again as soon as it is back."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._clock.now()
            if lost := [end for end in (self._microphone, self._loudspeaker) if end is not None and _lost(end, now)]:
                for end in lost:  # told at once: to close a device that is gone may take PortAudio long
                    self._missing.add(end.kind)
                    self._tell(end.kind, f"the kiosk's {end.kind} is lost")
                await self._close(lost)
                # Of a device that is just going, PortAudio may open a stream and wait for its start for ever.
                self._retry_at = self._clock.now() + RETRY_S
            if now < self._retry_at:
                continue
            if self._microphone is None or self._loudspeaker is None:
                await self._open(again=True)
                self._retry_at = self._clock.now() + RETRY_S

    async def _open(self, *, again: bool = False) -> None:
        """Whatever is missing. Raises nothing: it is told to `changed`."""
        failed = await self._open_missing()
        if failed and again and not self.queued_ms:
            # PortAudio knows only the devices of its start, and starts anew without any: nobody may be listening.
            await self._close([end for end in (self._microphone, self._loudspeaker) if end is not None])
            try:
                await self._ask(start_again, self._sound)
            except DeviceError as error:
                failed = dict.fromkeys(KINDS, str(error))
            else:
                failed = await self._open_missing()
        self._missing = set(failed)
        for kind in KINDS:
            self._tell(kind, failed.get(kind, ""))

    async def _open_missing(self) -> dict[Kind, str]:
        """Those that cannot be opened, and why."""
        failed = dict[Kind, str]()
        if self._microphone is None:
            try:
                await self._begin_microphone()
            except DeviceError as error:
                failed["microphone"] = str(error)
        if self._loudspeaker is None:
            try:
                await self._begin_loudspeaker()
            except DeviceError as error:
                failed["loudspeaker"] = str(error)
        return failed

    async def _begin_microphone(self) -> None:
        """Raises DeviceError."""
        hear = partial(self._note, asyncio.get_running_loop(), self._captured)
        microphone = await self._ask(self._make, "microphone", self._config.microphone, Microphone, hear)
        self._real["microphone"], self._silence = RealRate(microphone.rate), Silence()
        self._in = Resampler(microphone.rate, CAPTURE_RATE)
        self._microphone = microphone

    async def _begin_loudspeaker(self) -> None:
        """Raises DeviceError."""
        note = partial(self._note, asyncio.get_running_loop(), self._emitted)
        wanted = self._config.loudspeaker
        loudspeaker = await self._ask(self._make, "loudspeaker", wanted, partial(Loudspeaker, ring_s=RING_S), note)
        self._real["loudspeaker"], self._unheard = RealRate(loudspeaker.rate), Unheard()
        self._out, self._reference = Resampler(RATE, loudspeaker.rate), Resampler(loudspeaker.rate, CAPTURE_RATE)
        self._loudspeaker = loudspeaker

    def _make(self, kind: Kind, wanted: str, make: Callable[..., AnyStream], note: Callable[[Pcm], None]) -> AnyStream:
        """A stream of the wanted device, started; on PortAudio's thread. Raises DeviceError."""
        known = devices(self._sound, kind)
        device = choose(known, wanted)
        if device is None:
            names = ", ".join(repr(one.name) for one in known) or "none at all"
            raise DeviceError(f"there is no {kind}{f' {wanted!r}' if wanted else ''}; there is {names}")
        stream = make(self._sound, device, note)
        try:
            stream.start()
        except self._sound.PortAudioError as error:
            stream.close()
            raise DeviceError(f"{kind} {device.name!r} does not start: {error}") from error
        log.info("kiosk: %s %s at %d Hz, %g ms", kind, device.name, stream.rate, stream.latency_ms)
        return stream

    async def _close(self, which: Sequence[Microphone | Loudspeaker]) -> None:
        for end in which:
            if end is self._loudspeaker:
                self._before_s += end.ring.taken / end.rate
                self._loudspeaker, self._last_played = None, np.zeros(0, np.int16)
            else:
                self._microphone = None
            await self._ask(end.close)
            self._xruns += end.xruns

    async def _ask(self, work: Callable[..., Result], *what: Any) -> Result:
        """On PortAudio's thread, to its end even where nobody waits for that any more."""
        done = asyncio.get_running_loop().run_in_executor(self._portaudio, partial(work, *what))
        return await asyncio.shield(done)

    def _why(self, kind: Kind) -> str:
        """Why a device does not work, or empty."""
        if kind in self._missing:
            return MISSING[kind]
        if kind == "microphone":
            return SILENT if self._silence.on else ""
        return UNHEARD if self._unheard.on else ""

    def _tell(self, kind: Kind, details: str) -> None:
        why = self._why(kind)
        if self._told.get(kind, "") != why:
            self._told[kind] = why
            if why:
                log.warning("%s", details)
            self._changed(kind, not why, why)

    # --- sound

    def _note(self, loop: asyncio.AbstractEventLoop, where: deque[Pcm], block: Pcm) -> None:
        """On PortAudio's thread."""
        where.append(block)
        if where is self._captured:
            with suppress(RuntimeError):  # the loop is closed: we are stopping
                loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        """All that came, in 20 ms: first what was played, then what was heard of it."""
        while self._emitted:
            block = self._emitted.popleft()
            self._count("loudspeaker", len(block))
            played = self._reference.feed(block)
            self._echo.played(played)
            self._last_played = np.concatenate([self._last_played, played])[-FRAME_SAMPLES:]
        while self._captured:
            block = self._captured.popleft()
            self._count("microphone", len(block))
            # Some speakerphones give nothing but zeros while we speak.
            if not self._last_played.any() and self._silence.feed(block, self._clock.now()):
                self._tell("microphone", "the microphone delivers nothing but zeros: is it muted?")
            raw, clean = self._echo.heard(self._in.feed(block))
            self._raw, self._clean = np.concatenate([self._raw, raw]), np.concatenate([self._clean, clean])
        while len(self._clean) >= FRAME_SAMPLES:
            self._give(self._clean[:FRAME_SAMPLES], self._raw[:FRAME_SAMPLES])
            self._raw, self._clean = self._raw[FRAME_SAMPLES:], self._clean[FRAME_SAMPLES:]

    def _give(self, clean: Pcm, raw: Pcm) -> None:
        played = self._last_played
        if self._unheard.feed(played, raw, FRAME_S):
            self._tell("loudspeaker", "the microphone hears nothing of the loudspeaker: is its volume at zero?")
        self._heard_at = self._clock.now()
        self._hear(Heard(pcm=clean, raw=raw, played=played, at=self._heard_at))

    def _count(self, kind: Kind, samples: int) -> None:
        real = self._real.get(kind)
        if real is None or not real.feed(samples, self._clock.now()):
            return
        log.warning("the kiosk's %s has %d samples a second, and says otherwise", kind, real.lies)
        if kind == "microphone":
            self._in = Resampler(real.lies, CAPTURE_RATE)
        elif self._loudspeaker is not None:
            self._loudspeaker.rate = real.lies
            self._out, self._reference = Resampler(RATE, real.lies), Resampler(real.lies, CAPTURE_RATE)

    async def _go_on(self) -> None:
        """Where there is no microphone, silence is heard; where there is no loudspeaker, what is said passes."""
        nothing = np.zeros(FRAME_SAMPLES, np.int16)
        while True:
            await asyncio.sleep(FRAME_S)
            now = self._clock.now()
            if self._loudspeaker is None and self._unplayed:
                passed = min(self._unplayed, round(FRAME_S * RATE))
                self._unplayed -= passed
                self._before_s += passed / RATE
            if self._microphone is None and now - self._heard_at >= FRAME_S:
                self._heard_at = now
                self._hear(Heard(pcm=nothing, raw=nothing, played=nothing, at=now))


def told(task: asyncio.Task[None]) -> None:
    """What ended a task that goes on for ever: a bug of ours."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s: a bug of ours", task.get_name(), exc_info=error)


def _lost(end: Microphone | Loudspeaker, now: float) -> bool:
    return not end.alive or now - end.called_at > max(LOST_S, 10 * BLOCK_S)
