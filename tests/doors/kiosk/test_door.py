"""Who comes, who goes, and what the kiosk says of it: in virtual time, without a device."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from appliance.bench.warp import LoopClock, warped
from appliance.doors.kiosk.door import CLOSED, KioskDoor, chime
from appliance.doors.kiosk.line import KioskLine
from appliance.doors.kiosk.sound import Heard, Sound
from appliance.terms.config import KioskConfig
from appliance.terms.errors import DeviceError, NotReady
from appliance.terms.events import Caption, Event, KioskChanged, SoundDeviceChanged, State, StateChanged
from appliance.terms.frame import Frame
from appliance.terms.units import FRAME_SAMPLES, Pcm, dbfs

NOTHING = np.zeros(FRAME_SAMPLES, np.int16)
SPEECH = np.full(FRAME_SAMPLES, 3000, np.int16)


class Room(Sound):
    """Sound without devices: a test says what is heard; what is played passes as time goes on."""

    library = True

    async def start(self) -> None:
        if not self.library:
            raise DeviceError("sound: PortAudio is missing", mend="install it")
        self._tasks = [asyncio.create_task(self._go_on())]

    def loses(self, kind: Any) -> None:
        self._missing.add(kind)
        self._tell(kind, "it is gone")

    def finds(self, kind: Any) -> None:
        self._missing.discard(kind)
        self._tell(kind, "")

    def say(self, pcm: Pcm, played: Pcm = NOTHING) -> None:
        self._hear(Heard(pcm=pcm, raw=pcm, played=played, at=self._clock.now()))


class Listens:
    """A waker that wakes at the n-th frame that is not silent."""

    since = -math.inf

    def __init__(self, after: int) -> None:
        self.after = self.left = after

    def feed(self, heard: Heard) -> bool:
        self.left -= bool(heard.pcm.any())
        return self.left == 0

    def reset(self) -> None:
        self.left = self.after


class Kiosk:
    """A door, and the conversations that it had: the agent says what `agent` makes it."""

    def __init__(self, agent: Callable[[Kiosk, KioskLine], Awaitable[None]] | None = None, **settings: Any) -> None:
        self.missing: list[str] = []
        self.events: list[Event] = []
        self.lines: list[KioskLine] = []
        self.greeted: list[bool] = []
        self.heard: list[Frame] = []
        self.places = 0
        self._agent = agent
        waker = settings.pop("waker", None)
        self.door = KioskDoor(
            KioskConfig(enabled=True, **settings),
            answer=self.answer,
            admit=self.admit,
            missing=lambda: self.missing,
            waker=waker,
            word="Hey Jarvis" if waker else "",
            clock=LoopClock(),
            emit=self.events.append,
            sound=Room,
        )
        self.room = self.door._sound
        assert isinstance(self.room, Room)

    def admit(self) -> Callable[[], None]:
        if self.missing:
            raise NotReady("not yet")
        self.places += 1
        return self.release

    def release(self) -> None:
        self.places -= 1

    async def answer(self, line: KioskLine, *, greet: bool) -> None:
        self.lines.append(line)
        self.greeted.append(greet)
        agent = asyncio.ensure_future(self._agent(self, line)) if self._agent else None
        async for frame in line.frames():
            self.heard.append(frame)
        if agent is not None:
            agent.cancel()

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(event.state, event.why) for event in self.events if isinstance(event, KioskChanged)]

    def held(self, during: Callable[[Kiosk], Awaitable[None]]) -> Kiosk:
        """Run it."""

        async def run() -> None:
            await self.door.start()
            await asyncio.sleep(0.1)
            await during(self)
            await self.door.close()

        warped(run())
        return self


async def tapped(kiosk: Kiosk) -> None:
    kiosk.door.tap()
    await asyncio.sleep(1)


def test_a_tap_begins_a_conversation_with_a_greeting_and_who_says_nothing_has_left() -> None:
    async def comes_and_goes(kiosk: Kiosk) -> None:
        await tapped(kiosk)
        assert kiosk.places == 1
        await asyncio.sleep(30)

    kiosk = Kiosk(leave_s=20).held(comes_and_goes)
    assert kiosk.greeted == [True]
    assert kiosk.lines[0].ended == "left"
    assert kiosk.places == 0
    assert kiosk.states == [("idle", ""), ("waiting", ""), ("idle", ""), ("offline", CLOSED)]


def test_who_speaks_stays_and_the_next_one_is_somebody_else() -> None:
    async def agent(kiosk: Kiosk, line: KioskLine) -> None:
        for _ in range(5):
            await asyncio.sleep(12)
            line.tell(StateChanged(call=line.call, state=State.LISTENING))
            await asyncio.sleep(3)
            line.tell(StateChanged(call=line.call, state=State.WAITING))

    async def stays(kiosk: Kiosk) -> None:
        await tapped(kiosk)
        await asyncio.sleep(60)
        assert not kiosk.lines[0].ended
        kiosk.door.end()
        await asyncio.sleep(0.1)
        kiosk.door.tap()
        await asyncio.sleep(0.1)

    kiosk = Kiosk(agent, leave_s=20).held(stays)
    assert [line.ended for line in kiosk.lines] == ["hangup", "stopped"]
    assert kiosk.lines[0].call != kiosk.lines[1].call


def test_a_second_tap_changes_nothing_and_a_stuck_one_is_told() -> None:
    async def leans(kiosk: Kiosk) -> None:
        for _ in range(400):
            kiosk.door.tap()
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)

    kiosk = Kiosk(leave_s=5).held(leans)
    assert len(kiosk.lines) == 1
    assert ("idle", "tap.stuck") in kiosk.states
    assert kiosk.states[-2:] == [("idle", ""), ("offline", CLOSED)]


def test_what_was_said_before_it_was_noticed_belongs_to_the_conversation() -> None:
    async def speaks(kiosk: Kiosk) -> None:
        assert isinstance(kiosk.room, Room)
        for _ in range(14):
            kiosk.room.say(SPEECH)
        await asyncio.sleep(0.1)

    kiosk = Kiosk(wake="always", waker=Listens(12)).held(speaks)
    assert kiosk.greeted == [False]
    loud = [frame for frame in kiosk.heard if frame.pcm.any()]
    assert len(loud) == 14


def test_a_wake_word_is_answered_by_a_chime_and_is_no_question() -> None:
    async def calls(kiosk: Kiosk) -> None:
        assert isinstance(kiosk.room, Room)
        for _ in range(12):
            kiosk.room.say(SPEECH)
        assert kiosk.room.queued_ms == pytest.approx(180, abs=1)
        await asyncio.sleep(0.5)

    kiosk = Kiosk(wake="word", waker=Listens(12)).held(calls)
    assert kiosk.greeted == [False]
    assert dbfs(chime(48_000)) == pytest.approx(-27.0 - 4.3, abs=1.0)


def test_presence_greets_and_absence_ends() -> None:
    async def walks_by(kiosk: Kiosk) -> None:
        kiosk.door.presence(somebody=True)
        await asyncio.sleep(2)
        kiosk.door.presence(somebody=True)
        await asyncio.sleep(2)
        kiosk.door.presence(somebody=False)
        await asyncio.sleep(1)

    kiosk = Kiosk(wake="presence").held(walks_by)
    assert kiosk.greeted == [True]
    assert kiosk.lines[0].ended == "left"
    assert Kiosk(wake="tap").held(walks_by).lines == []


def test_half_duplex_hears_nothing_while_the_agent_speaks() -> None:
    async def agent(kiosk: Kiosk, line: KioskLine) -> None:
        line.play(np.ones(line.rate_out, np.int16))

    async def talks_over(kiosk: Kiosk) -> None:
        assert isinstance(kiosk.room, Room)
        kiosk.door.tap()
        for _ in range(100):
            await asyncio.sleep(0.02)
            kiosk.room.say(SPEECH)

    heard = [frame for frame in Kiosk(agent, duplex="half").held(talks_over).heard if frame.pcm.any()]
    assert len(heard) == pytest.approx((2.0 - 1.4) / 0.02, abs=3)
    assert len([f for f in Kiosk(agent, duplex="full").held(talks_over).heard if f.pcm.any()]) == 100


def test_nothing_begins_while_the_device_warms_up_or_an_engine_is_down() -> None:
    async def comes(kiosk: Kiosk) -> None:
        kiosk.missing = ["stt", "llm", "phrases"]
        await tapped(kiosk)
        kiosk.missing = ["llm"]
        await tapped(kiosk)
        kiosk.missing = []
        await tapped(kiosk)

    kiosk = Kiosk().held(comes)
    assert len(kiosk.lines) == 1
    assert kiosk.states[1:4] == [("offline", "starting"), ("offline", "engine"), ("waiting", "")]


def test_a_device_that_is_pulled_out_is_waited_for_a_while() -> None:
    async def pulled(kiosk: Kiosk) -> None:
        assert isinstance(kiosk.room, Room)
        await tapped(kiosk)
        kiosk.room.loses("microphone")
        await asyncio.sleep(3)
        kiosk.room.finds("microphone")
        await asyncio.sleep(3)
        assert not kiosk.lines[0].ended
        kiosk.room.loses("loudspeaker")
        await asyncio.sleep(12)
        await tapped(kiosk)

    kiosk = Kiosk(leave_s=0).held(pulled)
    assert kiosk.lines[0].ended == "device"
    told = [(event.device, event.works) for event in kiosk.events if isinstance(event, SoundDeviceChanged)]
    assert told == [("microphone", False), ("microphone", True), ("loudspeaker", False)]
    assert ("waiting", "microphone.missing") in kiosk.states
    assert ("offline", "loudspeaker.missing") in kiosk.states
    assert len(kiosk.lines) == 1


def test_without_portaudio_the_device_runs_and_the_screen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "library", False)
    kiosk = Kiosk().held(tapped)
    assert kiosk.lines == []
    assert kiosk.states[0] == ("offline", "no_library")


def test_captions_go_to_the_screen_and_are_forgotten_with_their_visitor() -> None:
    async def agent(kiosk: Kiosk, line: KioskLine) -> None:
        line.tell(Caption(call=line.call, turn=1, who="caller", text="When are you open?"))

    async def asks(kiosk: Kiosk) -> None:
        await tapped(kiosk)
        assert [message["text"] for message in kiosk.door._screen._said] == ["When are you open?"]
        kiosk.door.end()
        await asyncio.sleep(0.1)
        assert not kiosk.door._screen._said

    Kiosk(agent).held(asks)
