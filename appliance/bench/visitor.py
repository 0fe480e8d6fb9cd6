"""A visitor who stands before a kiosk in a virtual room: speaks, hears the loudspeaker, and sees the screen."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import aiohttp

from appliance.dsp import soundfile
from appliance.terms.errors import EngineDown

from .caller import (
    GREETING_WITHIN_S,
    HELD_S,
    INTO_REPLY_S,
    LONGEST_REPLY_S,
    POLL_S,
    QUIET_S,
    REPLY_WITHIN_S,
    Asked,
    SpokenOver,
)
from .pulse import RATE
from .room import Room
from .utterances import Utterance

READY_WITHIN_S = 20.0
FRAME_S = 0.02
Message = dict[str, Any]


class Visitor:
    """`async with Visitor(…)`: its screen is connected. Speaks at `level_dbfs`, as the microphone has it."""

    def __init__(self, url: str, room: Room, level_dbfs: float) -> None:
        self.level_dbfs = level_dbfs
        self.messages: list[tuple[float, Message]] = []
        self._url = f"{url.rstrip('/')}/kiosk/events"
        self._room = room

    async def __aenter__(self) -> Visitor:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await self._socket.close()
        await self._session.close()

    @property
    def state(self) -> tuple[str, str]:
        """What the kiosk says it does, and why."""
        told = next((m for _, m in reversed(self.messages) if m["type"] == "kiosk"), {})
        return str(told.get("state", "")), str(told.get("why", ""))

    def since(self, at: float, kind: str) -> list[Message]:
        return [message for told, message in self.messages if told > at and message["type"] == kind]

    async def come(self, *, tap: bool = True) -> None:
        """Begin a conversation, and hear the greeting out. Raises EngineDown where none begins."""
        await self.until(lambda: self.state == ("idle", ""), READY_WITHIN_S)
        began = time.monotonic()
        if tap:
            await self._socket.send_json({"type": "tap"})
        if await self._room.speaks(began, GREETING_WITHIN_S) is None:
            raise EngineDown(f"the kiosk does not greet: it is {self.state}")
        await self._room.quiet(QUIET_S, REPLY_WITHIN_S)

    async def go(self) -> None:
        """End it."""
        await self._socket.send_json({"type": "end"})
        await self.until(lambda: self.state[0] in ("idle", "offline"), READY_WITHIN_S)

    async def ask(self, utterance: Utterance) -> Asked:
        """Say it, and hear the whole reply: from the last voiced sample at the microphone to the loudspeaker's."""
        await self._be_there()
        asked, began = Asked(id=utterance.id), time.monotonic()
        said = await self._room.say(soundfile.read(utterance.file, rate=RATE), self.level_dbfs)
        last = said.last_voiced or said.ended
        asked.cut_in = any(at < last for at in await self._room.voiced_after(began))
        await self.until(lambda: bool(self.since(began, "turn")), LONGEST_REPLY_S)
        await self._room.quiet(QUIET_S, LONGEST_REPLY_S)
        turns = self.since(began, "turn")
        asked.turn = turns[-1] if turns else {}
        fillers = self.since(began, "filler")
        asked.filler, asked.apology = bool(fillers), any(filler["apology"] for filler in fillers)
        voiced = await self._room.voiced_after(last)
        if voiced and not asked.filler and asked.turn.get("e2a_ms") is not None:
            asked.ms = round((voiced[0] - last) * 1000, 1)
            gaps = (late - early for early, late in pairwise(voiced))
            asked.longest_gap_ms = round(max(gaps, default=0.0) * 1000, 1)
        asked.right = utterance.right(str(asked.turn.get("reply") or ""))
        return asked

    async def speak_over(self, question: Utterance, sound: Utterance) -> SpokenOver:
        """Ask the question, make the sound over its reply, and hear what comes of it."""
        await self._be_there()
        over, began = SpokenOver(id=sound.id), time.monotonic()
        said = await self._room.say(soundfile.read(question.file, rate=RATE), self.level_dbfs)
        if await self._room.speaks(said.ended, REPLY_WITHIN_S) is None:
            return over
        await asyncio.sleep(INTO_REPLY_S)
        made = await self._room.say(soundfile.read(sound.file, rate=RATE), self.level_dbfs)
        begun = made.first_voiced or made.began
        await self.until(lambda: self._settled(began), LONGEST_REPLY_S)
        await self._room.quiet(QUIET_S, LONGEST_REPLY_S)
        turns = self.since(began, "turn")
        over.turn = turns[0] if turns else {}
        over.interrupted = bool(over.turn.get("interrupted"))
        over.reply = str(turns[-1].get("reply") or "") if turns else ""
        over.answered = len(turns) > 1 and bool(over.reply)
        overlaps = self.since(began, "overlap")
        over.words = str(overlaps[-1]["text"]) if overlaps else ""
        edges = [begun, *await self._room.voiced_after(begun)]
        silent = next((early for early, late in pairwise(edges) if late - early > HELD_S), edges[-1])
        if over.interrupted or silent != edges[-1]:
            over.silent_ms = round((silent + FRAME_S - begun) * 1000, 1)
        return over

    async def until(self, done: Callable[[], bool], within_s: float) -> bool:
        for _ in range(int(within_s / POLL_S)):
            if done():
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def _be_there(self) -> None:
        """The agent may have taken leave: then this is the next visitor."""
        if self.state[0] == "idle":
            await self.come()

    def _settled(self, since: float) -> bool:
        turns = self.since(since, "turn")
        return bool(turns) and not turns[-1]["interrupted"]

    async def _read(self) -> None:
        with suppress(asyncio.CancelledError):
            async for received in self._socket:
                if received.type is aiohttp.WSMsgType.TEXT:
                    self.messages.append((time.monotonic(), json.loads(received.data)))
