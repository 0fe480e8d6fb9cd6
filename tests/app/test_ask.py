"""`frontdesk ask`, the command itself, through the real flow with the real models."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.bench.words import word_errors
from appliance.dsp import soundfile

PARTS = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.app.cli", "ask", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def write(path: Path, pcm: np.ndarray, *, rate: int, channels: int, width: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return path


@pytest.mark.model
def test_a_spoken_question_is_answered_rightly(tmp_path: Path, utterances: dict[str, Utterance]) -> None:
    question, out = utterances["parking"], tmp_path / "reply.wav"
    done = ask(str(question.file), "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    turn = json.loads(done.stdout.splitlines()[-1])
    assert word_errors(question.text, turn["transcript"])[0] == 0
    assert question.right(turn["reply"])
    assert turn["e2a_ms"] == pytest.approx(sum(turn[part] for part in PARTS), abs=0.2)
    assert turn["route"] == {"stt": "local", "llm": "local", "tts": "local"}
    assert turn["stages"].keys() == {"stt", "llm", "tts"}
    assert turn["speculated"] == "committed"
    reply = soundfile.read(out)
    assert 0.4 < len(reply) / 16_000 < 20.0


@pytest.mark.model
def test_a_typed_question_is_answered() -> None:
    done = ask("--text", "What is the wifi password?", "--json")
    assert done.returncode == 0, done.stderr
    turn = json.loads(done.stdout.splitlines()[-1])
    assert "blue seagull" in turn["reply"].lower()
    assert turn["speculated"] == "none"


@pytest.mark.model
def test_a_file_without_speech_says_so(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros(16_000, np.int16), rate=16_000, channels=1, width=2)
    done = ask(str(silent))
    assert done.returncode == 1
    assert "no speech was heard" in done.stderr


def test_files_that_are_no_question_are_refused(tmp_path: Path) -> None:
    (tmp_path / "not.wav").write_text("I am a text.")
    (tmp_path / "nothing.wav").touch()
    write(tmp_path / "empty.wav", np.zeros(0, np.int16), rate=16_000, channels=1, width=2)
    write(tmp_path / "hour.wav", np.zeros(3600 * 8000, np.uint8), rate=8000, channels=1, width=1)
    for name, reason in (
        ("missing.wav", "there is no such file"),
        ("not.wav", "not a sound file"),
        ("nothing.wav", "not a sound file"),
        ("empty.wav", "holds no sound"),
        ("hour.wav", "longer than 120 s"),
    ):
        done = ask(str(tmp_path / name))
        assert (done.returncode, reason in done.stderr) == (1, True), (name, done.stderr)
        assert "Traceback" not in done.stderr


def test_either_a_file_or_words() -> None:
    assert ask().returncode == 2
    assert ask("a.wav", "--text", "b").returncode == 2


@pytest.mark.parametrize(("rate", "channels", "width"), [(96_000, 2, 2), (8_000, 1, 1), (44_100, 2, 4), (16_000, 1, 2)])
def test_sound_of_any_format_becomes_16_khz_mono(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    pcm = (
        (tone * 100 + 128).astype(np.uint8) if width == 1 else (tone * 0.5 * 2 ** (8 * width - 1)).astype(f"<i{width}")
    )
    path = write(tmp_path / "tone.wav", np.repeat(pcm, channels), rate=rate, channels=channels, width=width)
    read = soundfile.read(path)
    assert read.dtype == np.int16
    assert len(read) == pytest.approx(16_000, abs=40)
    spectrum = np.abs(np.fft.rfft(read[:16_000]))
    assert spectrum.argmax() * 16_000 / min(len(read), 16_000) == pytest.approx(440, abs=2)
