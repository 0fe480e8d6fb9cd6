"""The kiosk as a door: it notices who comes, holds one conversation at a time, and forgets who has gone."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import numpy as np
from aiohttp import web

from appliance.terms.clock import Clock
from appliance.terms.config import KioskConfig
from appliance.terms.errors import DeviceError, FrontdeskError, NotReady
from appliance.terms.events import (
    Caption,
    Event,
    KioskChanged,
    ReplyHeard,
    SoundDeviceChanged,
    State,
    StateChanged,
    as_json,
)
from appliance.terms.frame import Frame, silence
from appliance.terms.units import FRAME_MS, Pcm, dbfs

from .devices import Kind
from .health import Touch
from .hook import Hook
from .line import KioskLine
from .screen import Handler, Screen
from .sound import Heard, Sound, told
from .wake import Waker

log = logging.getLogger(__name__)

CLOSED = "closed"
IDLE, OFFLINE, WAITING = "idle", "offline", State.WAITING.value
BEFORE_S = 1.6
"""So much of what was said before we noticed belongs to the conversation."""
LOOK_S = 0.25
MISSED_S = 10.0
"""A conversation waits so long for a device that was pulled out."""
LEVEL_EVERY = 3
"""Frames of 20 ms from one level on the screen to the next."""
SOFTEST_DB = -96.0
CHIME_HZ = (659.3, 880.0)
CHIME_S = 0.09
CHIME_DBFS = -24.0

Answer = Callable[..., Awaitable[None]]


class Admit(Protocol):
    """Takes the visitor's place, which no caller can have taken. Raises NotReady while nobody can be answered."""

    def __call__(self) -> Callable[[], None]: ...


class KioskDoor:
    """`start` opens the devices. What begins and ends a conversation comes from the screen, the waker, or `presence`.

    `answer(line, greet=…)` holds a conversation; `missing` tells what the device still waits for, or only `CLOSED`.
    """

    def __init__(
        self,
        config: KioskConfig,
        *,
        answer: Answer,
        admit: Admit,
        missing: Callable[[], list[str]],
        waker: Waker | None,
        word: str,
        clock: Clock,
        emit: Callable[[Event], None],
        sound: type[Sound] = Sound,
    ) -> None:
        """Raises ConfigError for a command that cannot be read."""
        self._config = config
        self._answer = answer
        self._admit = admit
        self._missing = missing
        self._waker = waker
        self._word = word
        self._clock = clock
        self._emit = emit
        self._hook = Hook(config.command)
        self._touch = Touch()
        self._sound = sound(config, clock, self._hear, self._sound_changed)
        self._screen = Screen(self._press)
        self._line: KioskLine | None = None
        self._call: asyncio.Task[None] | None = None
        self._state = WAITING
        """Of the conversation."""
        self._quiet_since = 0.0
        self._lost_since: float | None = None
        self._spoke_at = -math.inf
        self._library = True
        self._closing = False
        self._told = KioskChanged(state="")
        self._before: deque[Frame] = deque(maxlen=round(BEFORE_S * 1000 / FRAME_MS))
        self._frames = 0
        self._looking: asyncio.Task[None] | None = None

    def routes(self, own_screen: Callable[[Handler], Handler]) -> list[web.RouteDef]:
        """`own_screen` is what keeps everybody out who is not on the device."""
        return self._screen.routes(own_screen)

    async def start(self) -> None:
        """Raises nothing: a kiosk that cannot talk says so, and callers are answered as ever."""
        try:
            await self._sound.start()
        except DeviceError as error:
            self._library = False
            log.error("%s", error)
            log.error("%s", error.mend)
        self._looking = asyncio.create_task(self._look(), name="kiosk")
        self._looking.add_done_callback(told)

    async def close(self) -> None:
        """After the conversation has ended."""
        self._closing = True
        if self._looking is not None:
            self._looking.cancel()
        if self._line is not None:
            self._line.hang_up("stopped")
        if self._call is not None:
            await asyncio.wait({self._call})
        self._show()
        await self._screen.close()
        await self._sound.stop()
        await self._hook.close()

    # --- what visitors and other programs do

    def tap(self) -> None:
        """A touch, a key, a button."""
        if self._touch.tap(self._clock.now()):
            self._begin(greet=True)
        self._show()

    def end(self) -> None:
        """The visitor is done."""
        if self._line is not None:
            self._line.hang_up("hangup")

    def presence(self, *, somebody: bool) -> None:
        """What a sensor says. With `wake = "presence"`, who comes is greeted; who goes is let go in any case."""
        if not somebody and self._line is not None:
            self._line.hang_up("left")
        elif somebody and self._config.wake == "presence":
            self._begin(greet=True)

    def about(self) -> dict[str, Any]:
        """How it stands, for the device's state."""
        return {"state": self._told.state, "why": self._told.why, **self._sound.about()}

    def _press(self, what: str) -> None:
        self.tap() if what == "tap" else self.end()

    # --- hearing

    def _hear(self, heard: Heard) -> None:
        deaf = self._deaf(heard.at)
        frame = silence(heard.at) if deaf else Frame(pcm=heard.pcm, at=heard.at)
        line = self._line
        if line is not None:
            line.hear(frame)
            self._level(heard)
            return
        self._before.append(frame)
        waker = self._waker
        if waker is not None and not deaf and self._why() in ("", "tap.stuck") and waker.feed(heard):
            self._begin(greet=False, before=tuple(frame for frame in self._before if frame.at > waker.since))

    def _deaf(self, now: float) -> bool:
        """Half duplex: while we speak, and as long as that still sounds."""
        if self._config.duplex == "full":
            return False
        self._spoke_at = now if self._sound.queued_ms else self._spoke_at
        return now - self._spoke_at < self._config.echo_ms / 1000

    def _level(self, heard: Heard) -> None:
        self._frames += 1
        if self._frames % LEVEL_EVERY == 0 and self._screen.watched:
            sides = {"caller_db": heard.pcm, "agent_db": heard.played, "room_db": heard.raw}
            levels = {name: round(max(SOFTEST_DB, dbfs(pcm)), 1) for name, pcm in sides.items()}
            self._screen.tell({"type": "level", **levels})

    # --- conversations

    def _begin(self, *, greet: bool, before: tuple[Frame, ...] = ()) -> None:
        """Unless there is one, or there can be none."""
        if self._line is not None or self._why() not in ("", "tap.stuck"):
            return
        try:
            release = self._admit()
        except NotReady:
            return  # `_look` shows why
        self._line = line = KioskLine(self._sound, self._told_by_call, before)
        self._state, self._quiet_since, self._lost_since = WAITING, self._clock.now(), None
        if self._config.wake == "word" and not greet and self._config.duplex == "full":
            line.play(chime(line.rate_out))
        self._call = asyncio.create_task(self._hold(line, release, greet=greet), name=f"call {line.call}")
        self._call.add_done_callback(told)
        self._show()

    async def _hold(self, line: KioskLine, release: Callable[[], None], *, greet: bool) -> None:
        try:
            await self._answer(line, greet=greet)
        except FrontdeskError as error:
            log.warning("call %s: %s", line.call, error)
        finally:
            release()
            line.hang_up("stopped")
            line.flush()
            self._line = None
            self._before.clear()
            if self._waker is not None:
                self._waker.reset()
            self._show()

    def _told_by_call(self, call: str, event: Event) -> None:
        if self._line is None or self._line.call != call:
            return  # the last one's
        if isinstance(event, StateChanged):
            self._state, self._quiet_since = event.state.value, self._clock.now()
            self._show()
        self._screen.tell(as_json(event), keep=isinstance(event, Caption | ReplyHeard))

    # --- how it stands

    async def _look(self) -> None:
        """Now and then: who has gone, and what has changed without an event."""
        while True:
            self._touch.look(self._clock.now())
            self._mind_absence()
            self._show()
            await asyncio.sleep(LOOK_S)

    def _mind_absence(self) -> None:
        line, now = self._line, self._clock.now()
        if line is None:
            return
        leave_s = self._config.leave_s
        if leave_s and self._state == WAITING and not line.queued_ms and now - self._quiet_since >= leave_s:
            line.hang_up("left")
        if not self._sound.problem:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        elif now - self._lost_since >= MISSED_S:
            line.hang_up("device")

    def _why(self) -> str:
        """Why there can be no conversation now; `tap.stuck` is none."""
        missing = [CLOSED] if self._closing else self._missing()
        if missing == [CLOSED]:
            return CLOSED
        if not self._library:
            return "no_library"
        if missing:
            return "starting" if "phrases" in missing or len(missing) > 1 else "engine"
        return self._sound.problem or ("tap.stuck" if self._touch.stuck else "")

    def _show(self) -> None:
        """Tell the screens and everybody else, where something has changed."""
        why, line = self._why(), self._line
        state = self._state if line is not None else OFFLINE if why not in ("", "tap.stuck") else IDLE
        now = KioskChanged(state=state, why=why, call="" if line is None else line.call)
        if now == self._told:
            return
        self._told = now
        self._screen.stand({**as_json(now), "wake": self._config.wake, "word": self._word})
        self._hook.note(now.state, now.why)
        self._emit(now)

    def _sound_changed(self, kind: Kind, works: bool, why: str) -> None:
        self._emit(SoundDeviceChanged(device=kind, works=works, why=why))
        self._show()


def chime(rate: int) -> Pcm:
    """Two soft notes that say: go on, I am listening. (n,) int16 at `rate` Hz."""
    t = np.arange(round(CHIME_S * rate)) / rate
    swell = np.sin(np.pi * t / CHIME_S) ** 2
    notes = [np.sin(2 * np.pi * hz * t) * swell for hz in CHIME_HZ]
    return (np.concatenate(notes) * 32767 * 10 ** (CHIME_DBFS / 20)).astype(np.int16)
