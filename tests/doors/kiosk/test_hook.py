"""The owner's command at each change of state."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from appliance.doors.kiosk.hook import Hook
from appliance.terms.errors import ConfigError

NOTES = "import os, sys; open(sys.argv[1], 'a').write(f'{sys.argv[2]} {os.environ[\"FRONTDESK_WHY\"]}\\n')"


async def test_it_is_told_the_state_one_run_after_the_other(tmp_path: Path) -> None:
    script, notes = tmp_path / "lights.py", tmp_path / "my notes"
    script.write_text(NOTES)
    hook = Hook(f"{sys.executable} {script} '{notes}'")
    hook.note("idle", "")
    await asyncio.sleep(0)
    for state in ("waiting", "listening", "thinking"):
        hook.note(state, "")
    hook.note("offline", "microphone.missing")
    await hook.close()
    lines = notes.read_text().splitlines()
    assert lines[0].split() in (["idle"], ["offline", "microphone.missing"])
    assert lines[-1] == "offline microphone.missing"
    assert len(lines) <= 2


async def test_one_that_is_not_there_or_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    hook = Hook("/nowhere/lights")
    for state in ("idle", "waiting", "idle"):
        hook.note(state, "")
        await hook.close()
    assert [record.message for record in caplog.records] == [
        "kiosk.command: /nowhere/lights: No such file or directory"
    ]


def test_a_command_that_no_shell_could_read() -> None:
    with pytest.raises(ConfigError, match=r"kiosk\.command: No closing quotation"):
        Hook("lights 'on")


async def test_none_does_nothing() -> None:
    hook = Hook("")
    hook.note("idle", "")
    await hook.close()
