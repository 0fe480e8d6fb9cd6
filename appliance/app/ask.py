"""`frontdesk ask`: one turn through the real flow, from a sound file or from typed words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from appliance.doors.file import FileLine
from appliance.dsp import soundfile
from appliance.flow.conversation import Conversation
from appliance.terms.clock import SystemClock
from appliance.terms.config import Config
from appliance.terms.errors import BadInput
from appliance.terms.events import Event, TurnEnded, as_json

from .desk import open_desk, role
from .engines import EngineRoom

READY_WITHIN_S = 120.0
REPLY_WITHIN_S = 30.0
QUIET_S = 1.5
POLL_S = 0.05


async def ask(config: Config, state: Path, *, file: Path | None, text: str | None, out: Path | None) -> dict[str, Any]:
    """The turn's event as JSON values. Raises BadInput where the file cannot be read or holds no speech."""
    pcm = soundfile.read(file) if file is not None else np.zeros(0, np.int16)
    if text is not None and not text.strip():
        raise BadInput("--text: there are no words in it")
    clock = SystemClock()
    who = role(config)
    room = EngineRoom(config, who.instructions, state, lambda event: None)
    try:
        await room.start(READY_WITHIN_S)
        desk = await open_desk(config, who, room.engines, clock)
        line = FileLine(pcm, room.engines.tts.rate, clock)
        turns: list[TurnEnded] = []

        def note(event: Event) -> None:
            if isinstance(event, TurnEnded):
                turns.append(event)

        conversation = Conversation(line, desk, note)
        call = asyncio.create_task(conversation.run(greet=False))
        if text is not None:
            conversation.ask(text)
        try:
            await _until_answered(conversation, line, turns)
        finally:
            line.hang_up("stopped")
            await call
    finally:
        await room.stop()
    if not turns:
        raise BadInput(f"{file}: no speech was heard in it")
    if out is not None:
        soundfile.write(out, line.reply(), line.rate_out)
    return as_json(turns[-1])


async def _until_answered(conversation: Conversation, line: FileLine, turns: list[TurnEnded]) -> None:
    """Until the file was said and the agent has nothing more to say."""
    await line.said.wait()
    quiet = 0.0
    async with asyncio.timeout(REPLY_WITHIN_S):
        while quiet < (POLL_S if turns else QUIET_S):
            await asyncio.sleep(POLL_S)
            quiet = quiet + POLL_S if conversation.idle else 0.0
