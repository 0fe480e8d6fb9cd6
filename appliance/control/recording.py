"""A recorded call: a folder of `caller.flac` and `agent.flac` on one time line, `events.jsonl` and `call.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from appliance.dsp import soundfile
from appliance.terms.errors import BadInput, DeviceError
from appliance.terms.units import CAPTURE_RATE, Pcm

MAX_S = 3600.0
CALLER, AGENT, EVENTS, ABOUT = "caller.flac", "agent.flac", "events.jsonl", "call.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """`events` are JSON values, each with `at`, the seconds since the call's start, where both sounds begin."""

    caller: Pcm
    """(n,) int16 mono at 16 kHz."""
    agent: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    """The same at `rate`; empty where it was not kept."""
    rate: int = CAPTURE_RATE
    events: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    """The call's id, door, beginning (UTC), duration, end and number of turns, as far as they are known."""

    def save(self, folder: Path) -> None:
        """Raises DeviceError where it cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lines = [json.dumps(event, ensure_ascii=False) for event in self.events]
            (folder / EVENTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            (folder / ABOUT).write_text(json.dumps(self.about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise DeviceError(
                f"{folder} cannot be written: {error.strerror}", mend="Is the disk full, or the folder not writable?"
            ) from error
        soundfile.write(folder / CALLER, self.caller, CAPTURE_RATE)
        if len(self.agent):
            soundfile.write(folder / AGENT, self.agent, self.rate)


def load(path: Path) -> Recording:
    """A recorded call's folder, or a bare sound file of what a caller said. The agent's sound is not read.

    Raises BadInput naming the file and the line that is wrong.
    """
    if not path.is_dir():
        return Recording(caller=soundfile.read(path, max_s=MAX_S))
    caller = soundfile.read(path / CALLER, max_s=MAX_S)
    about = _object(path / ABOUT, _text(path / ABOUT)) if (path / ABOUT).exists() else {}
    lines = _text(path / EVENTS).splitlines() if (path / EVENTS).exists() else []
    events = [_object(f"{path / EVENTS}, line {i}", line) for i, line in enumerate(lines, 1) if line.strip()]
    return Recording(caller=caller, events=events, about=about)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: it cannot be read ({error})") from error


def _object(where: object, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{where}: this is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadInput(f"{where}: a JSON object is expected")
    return found
