"""A recorded call on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.control.recording import Recording, load
from appliance.dsp import soundfile
from appliance.terms.errors import BadInput, DeviceError


@pytest.fixture
def call() -> Recording:
    random = np.random.default_rng(1)
    caller, agent = ((random.standard_normal(n) * 3000).astype(np.int16) for n in (32_000, 44_100))
    events = [{"at": 0.0, "type": "call.started"}, {"at": 1.25, "type": "caption", "text": "Grüße 🙂"}]
    return Recording(caller=caller, agent=agent, rate=22_050, events=events, about={"call": "a", "turns": 1})


def test_it_comes_back_as_it_was(call: Recording, tmp_path: Path) -> None:
    call.save(tmp_path / "call")
    again = load(tmp_path / "call")
    assert np.array_equal(again.caller, call.caller)
    assert (again.events, again.about) == (call.events, call.about)
    agent = soundfile.read(tmp_path / "call" / "agent.flac", rate=22_050)
    assert np.array_equal(agent, call.agent)
    assert (tmp_path / "call").stat().st_mode & 0o077 == 0, "what people said is nobody else's business"


def test_a_bare_sound_file_is_a_caller(call: Recording, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "said.wav", call.caller, 16_000)
    assert np.array_equal(load(tmp_path / "said.wav").caller, call.caller)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("call.json", "{", r"call\.json: this is no JSON"),
        ("call.json", "[]", r"call\.json: a JSON object"),
        ("events.jsonl", '{"at": 0}\nnonsense\n', r"events\.jsonl, line 2: this is no JSON"),
        ("events.jsonl", "\udcff", r"events\.jsonl: it cannot be read"),
        ("caller.flac", "no sound", r"caller\.flac: it "),
    ],
)
def test_what_is_damaged_is_named(call: Recording, tmp_path: Path, file: str, content: str, told: str) -> None:
    call.save(tmp_path)
    (tmp_path / file).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadInput, match=told):
        load(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(call: Recording, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match="file/call cannot be written"):
        call.save(tmp_path / "file" / "call")
