"""The kiosk as the device wires it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.app import settings
from appliance.app.check import check
from appliance.app.kiosk import Called, check_kiosk, open_kiosk
from appliance.app.sound_check import alike
from appliance.bench.kiosk import hissing
from appliance.bench.pulse import RATE, pulse
from appliance.bench.room import Acoustics, Room
from appliance.doors.kiosk.door import chime
from appliance.dsp import soundfile
from appliance.engines.contracts import Transcript
from appliance.terms.clock import SystemClock
from appliance.terms.config import Config, KioskConfig
from appliance.terms.errors import ConfigError
from appliance.terms.units import CAPTURE_RATE, Pcm

SILENCE = np.zeros(CAPTURE_RATE, np.int16)


class Hears:
    """A recogniser that hears what it is told."""

    def __init__(self, text: str, again: str = "") -> None:
        self._heard = Transcript(text=text, audio_s=1.0, again=again)

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        return self._heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Hey Jarvis, when are you open?", "when are you open?"),
        ("Hay Jarvis.", ""),
        ("When are you open?", "When are you open?"),
        ("", ""),
    ],
)
async def test_the_wake_word_is_no_part_of_what_is_said(text: str, heard: str) -> None:
    called = Called("Hey Jarvis", Hears(text, again=text))
    assert await called.transcribe(SILENCE) == Transcript(text=heard, audio_s=1.0, again=heard)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    config = KioskConfig(
        enabled=True,
        wake="word",
        word="hey_siri",
        command="lights 'on",
        language="tlh",
        accent="#eeeeee",
        logo=str(tmp_path / "gone.svg"),
    )
    with pytest.raises(ConfigError) as raised:
        check_kiosk(config)
    for key in ("word", "command", "language", "accent", "logo"):
        assert any(f"kiosk.{key}" in problem for problem in raised.value.problems), key


def test_off_it_is_not_there() -> None:
    nothing: Any = SimpleNamespace()
    assert open_kiosk(Config(), nothing, nothing, list, SystemClock(), nothing) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('wake = "clap"', "kiosk.wake = 'clap'"),
        ("noise = 5", "kiosk.noise = 5"),
        ("leave_s = -1", "kiosk.leave_s"),
        ('mikrophone = "x"', "did you mean kiosk.microphone"),
    ],
)
def test_values_out_of_bounds_are_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "frontdesk.toml"
    path.write_text(f"[kiosk]\n{text}\n")
    with pytest.raises(ConfigError, match="kiosk") as raised:
        settings.load(path, {})
    assert problem in str(raised.value)


def test_a_tone_is_found_in_noise_and_noise_is_no_tone() -> None:
    random, tone = np.random.default_rng(1), chime(RATE)
    heard = random.standard_normal(RATE) * 300
    assert alike(heard.astype(np.int16), tone, RATE)[0] < 0.08
    at = round(0.12 * RATE)
    heard[at : at + len(tone)] += 0.2 * tone
    likeness, found = alike(heard.astype(np.int16), tone, RATE)
    assert likeness > 0.3
    assert found == pytest.approx(0.12, abs=0.002)
    assert alike(tone[:10], tone, RATE) == (0.0, 0.0)


async def found(environ: dict[str, str]) -> dict[str, tuple[bool, str]]:
    """What `check` says of the kiosk, in an environment; its own thread, for it waits."""
    told = {**environ, "FRONTDESK_KIOSK__ENABLED": "true", "FRONTDESK_HTTP__PORT": "0"}
    lines = await asyncio.to_thread(check, None, told)
    return {line.what: (line.good, line.found) for line in lines}


async def test_check_tries_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pulse() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        hiss = server.folder / "hiss.wav"
        soundfile.write(hiss, hissing(), RATE)
        room = await Room.open(server, Acoustics(noise=str(hiss), noise_dbfs=-60))
        try:
            wanted = {"FRONTDESK_KIOSK__MICROPHONE": "kiosk_mic", "FRONTDESK_KIOSK__LOUDSPEAKER": "*_spk"}
            lines = await found(wanted)
            assert lines["microphone"][0]
            assert "'kiosk_mic', of: 'kiosk_spk', 'kiosk_mic'" in lines["microphone"][1]
            assert lines["kiosk sound"][0], lines
            assert "the tone was heard after" in lines["kiosk sound"][1]
            await server.mute(True)
            good, told = (await found(wanted))["kiosk sound"]
            assert not good
            assert "does not hear the loudspeaker" in told
            good, told = (await found({"FRONTDESK_KIOSK__MICROPHONE": "Jabra"}))["microphone"]
            assert not good
            assert "'Jabra' is not there; there is:" in told
        finally:
            await room.close()
