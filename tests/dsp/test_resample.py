"""Rates, channels and sound files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from appliance.dsp import soundfile
from appliance.dsp.resample import Resampler
from appliance.terms.errors import BadInput, DeviceError
from appliance.terms.units import Pcm


def tone(rate: int, seconds: float, hertz: float = 440.0) -> Pcm:
    return (np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate) * 10_000).astype(np.int16)


def loudest_hertz(pcm: Pcm, rate: int) -> float:
    return float(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))).argmax()) * rate / len(pcm)


@pytest.mark.parametrize(("source", "target"), [(22_050, 48_000), (48_000, 16_000), (16_000, 24_000), (8000, 8000)])
def test_a_stream_keeps_its_length_and_its_pitch(source: int, target: int) -> None:
    resampler = Resampler(source, target)
    sound = tone(source, 1.0)
    pieces = [resampler.feed(sound[i : i + 441]) for i in range(0, len(sound), 441)]
    out = np.concatenate([*pieces, resampler.finish()])
    assert abs(len(out) - target) < 0.005 * target
    assert loudest_hertz(out, target) == pytest.approx(440, abs=3)


def test_it_holds_back_at_most_2_ms() -> None:
    resampler = Resampler(16_000, 48_000)
    got = sum(len(resampler.feed(tone(16_000, 0.02))) for _ in range(50))
    assert got >= 48_000 * 0.998


def write(path: Path, data: bytes, *, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def test_any_rate_depth_and_channels_become_16_khz_mono(tmp_path: Path) -> None:
    stereo = np.stack([tone(96_000, 1.0)] * 2, axis=1)
    eight_bit = ((tone(8000, 1.0) / 256).astype(np.int16) + 128).astype(np.uint8)
    for path in (
        write(tmp_path / "stereo.wav", stereo.tobytes(), rate=96_000, channels=2),
        write(tmp_path / "eight.wav", eight_bit.tobytes(), rate=8000, width=1),
    ):
        pcm = soundfile.read(path)
        assert abs(len(pcm) - 16_000) < 80
        assert loudest_hertz(pcm, 16_000) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 100, bytes(4096)])
def test_what_is_no_sound_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.wav"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"note\.wav"):
        soundfile.read(path)


def test_missing_empty_and_overlong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        soundfile.read(tmp_path / "nothing.wav")
    with pytest.raises(BadInput, match=r"empty\.wav"):
        soundfile.read(write(tmp_path / "empty.wav", b"", rate=16_000))
    with pytest.raises(BadInput, match="longer than 120 s"):
        soundfile.read(write(tmp_path / "hour.wav", bytes(16_000 * 2 * 150), rate=16_000))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "out.wav", tone(16_000, 0.5), 16_000)
    assert np.array_equal(soundfile.read(tmp_path / "out.wav"), tone(16_000, 0.5))


@pytest.mark.parametrize("path", ["/dev/full", "/proc/none/out.wav"])
def test_what_cannot_be_written_is_named(path: str) -> None:
    with pytest.raises(DeviceError, match=path):
        soundfile.write(Path(path), tone(16_000, 3.0), 16_000)
