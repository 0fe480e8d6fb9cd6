"""`frontdesk calls replay`: what a caller said once, through the flow of today, on a clock of its own.

The engines are real, the time is not: how busy the machine is changes nothing. Two replays differ by hundredths of a
second, for piper speaks a clause a little differently each time.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.bench.paced import Elsewhere, PacedEngines, Speeds
from appliance.bench.warp import LoopClock, warped
from appliance.control.recording import Recording
from appliance.doors.file import FileLine
from appliance.flow.conversation import Conversation
from appliance.flow.desk import Desk
from appliance.terms.clock import SystemClock
from appliance.terms.config import Config
from appliance.terms.events import Event, State, StateChanged, as_json
from appliance.terms.units import FRAME_MS, Pcm

from .desk import open_desk, pace, role
from .engines import EngineRoom

READY_WITHIN_S = 120.0
QUIET_S = 1.5
"""Nobody has said anything for so long after the caller's last word: the call is over."""
MOST_S = 60.0


@contextmanager
def rehearsing(config: Config, state: Path) -> Iterator[Rehearsal]:
    """Real engines, warm, for any number of replays. Raises what their start raises."""
    elsewhere = Elsewhere()
    who = role(config)

    async def room() -> EngineRoom:
        return EngineRoom(config, who.instructions, state, lambda event: None)

    try:
        engines = elsewhere.wait(room())
        try:
            elsewhere.wait(engines.start(READY_WITHIN_S))
            desk = elsewhere.wait(open_desk(config, who, engines.engines, SystemClock()))
            yield Rehearsal(config, desk, elsewhere)
        finally:
            elsewhere.wait(engines.stop())
    finally:
        elsewhere.close()


class Rehearsal:
    """Holds one call after another."""

    def __init__(self, config: Config, desk: Desk, elsewhere: Elsewhere) -> None:
        self.desk = desk
        self._config = config
        self._elsewhere = elsewhere

    def replay(
        self, caller: Pcm, *, greet: bool = False, patience: float | None = None, until_reply: bool = False
    ) -> Recording:
        """The call in which (n,) int16 16 kHz is said, to the agent's last word after it, or to its first. `patience`
        instead of the configured one."""
        patience = self.desk.patience if patience is None else patience
        return warped(self._hold(caller, greet, patience, until_reply))

    async def _hold(self, caller: Pcm, greet: bool, patience: float, until_reply: bool) -> Recording:
        clock = LoopClock()
        paced = PacedEngines(self.desk.engines, self._elsewhere, Speeds())
        engines, find, how = paced.engines(), paced.finding(self.desk.find), pace(self._config)
        desk = dataclasses.replace(self.desk, engines=engines, find=find, clock=clock, pace=how, patience=patience)
        line = FileLine(caller, engines.tts.rate, clock, lead_in_ms=0)
        began, events = clock.now(), list[dict[str, Any]]()

        def note(event: Event) -> None:
            events.append({"at": round(clock.now() - began, 3), **as_json(event)})
            if until_reply and event == StateChanged(call=line.call, state=State.SPEAKING):
                line.hang_up("hangup")

        conversation = Conversation(line, desk, note)
        call = asyncio.create_task(conversation.run(greet=greet))
        await asyncio.wait({call, asyncio.create_task(_until_over(conversation, line))}, return_when="FIRST_COMPLETED")
        line.hang_up("hangup")
        await call
        ended = events[-1]
        about = {name: ended[name] for name in ("call", "door", "reason", "duration_s", "turns")}
        return Recording(caller=caller, agent=line.heard(), rate=line.rate_out, events=events, about=about)


async def _until_over(conversation: Conversation, line: FileLine) -> None:
    """Until all was said, and nobody says anything more."""
    await line.said.wait()
    quiet = waited = 0.0
    while quiet < QUIET_S and waited < MOST_S:
        await asyncio.sleep(FRAME_MS / 1000)
        waited += FRAME_MS / 1000
        quiet = quiet + FRAME_MS / 1000 if conversation.idle else 0.0


def was_greeted(recording: Recording) -> bool:
    """Did the recorded call begin with the agent's greeting?"""
    return any(event.get("type") == "caption" and event.get("turn") == 0 for event in recording.events[:8])


def told(event: dict[str, Any]) -> str:
    """An event as a line for a person; empty where it says nothing of the turns."""
    match event["type"]:
        case "state":
            what = str(event["state"])
        case "caption" if event["who"] == "agent" or event["stable"]:
            what = f"{event['who']}: {event['text']}"
        case "caption":
            what = f"{event['who']} …: {event['text']}"
        case "heard":
            what = f"of this reply was heard: {event['text'] or 'nothing'}"
        case "overlap":
            what = f"{'an interruption' if event['meant'] else 'a murmur'}: {event['text']}"
        case "filler":
            what = str(event["text"])
        case "turn":
            ms = "no reply" if event["e2a_ms"] is None else f"after {event['e2a_ms']:.0f} ms"
            what = f"{event['turn']}, {ms}{', interrupted' if event['interrupted'] else ''}"
        case "call.ended":
            what = str(event["reason"])
        case _:
            what = ""
    return f"{event['at']:7.2f}  {event['type']:<12}  {what}".rstrip()
