"""What wakes the kiosk by sound."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pymicro_wakeword
import pytest

from appliance.doors.kiosk.sound import Heard
from appliance.doors.kiosk.wake import BUILT_IN, NearSpeech, Recognise, Word, called
from appliance.dsp import soundfile
from appliance.terms.errors import ConfigError
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm

CALLS = Path(__file__).parents[3] / "benchmarks" / "kiosk" / "wake"
QUESTIONS = Path(__file__).parents[3] / "benchmarks" / "utterances"
PAUSE = np.zeros(CAPTURE_RATE, np.int16)
RNG = np.random.default_rng(2)


def frames(*sounds: Pcm) -> list[Heard]:
    """What is heard of them, in a room that is not quite silent."""
    pcm = np.concatenate([PAUSE, *sounds, PAUSE])
    pcm = np.clip(pcm + RNG.standard_normal(len(pcm)) * 15, -32768, 32767).astype(np.int16)
    whole = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [Heard(pcm=frame, raw=frame, played=frame, at=0.02 * i) for i, frame in enumerate(whole, 1)]


def answering(text: str, asked: list[Pcm]) -> Recognise:
    async def recognise(pcm: Pcm) -> str:
        asked.append(pcm)
        return text

    return recognise


async def woken(word: Word, sounds: list[Heard]) -> list[float]:
    found = []
    for heard in sounds:
        if word.feed(heard):
            found.append(heard.at)
        await word.settled()
    return found


async def test_a_voice_that_the_model_knows_wakes_at_once_and_once() -> None:
    asked: list[Pcm] = []
    word = Word("hey_jarvis", answering("", asked))
    assert word.words == "Hey Jarvis"
    clip = soundfile.read(CALLS / "bm_daniel-5.ogg")  # "Hey Jarvis, when are you open?"
    [at] = await woken(word, frames(clip))
    assert 1.5 < at < 2.2
    assert word.since == pytest.approx(at - 1.4)
    assert not asked
    word.reset()
    assert len(await woken(word, frames(clip, clip))) == 2


async def test_one_that_it_does_not_know_wakes_if_the_recogniser_heard_it() -> None:
    clip = soundfile.read(CALLS / "bf_alice-5.ogg")
    asked: list[Pcm] = []
    [at] = await woken(Word("hey_jarvis", answering("Hay Jarvis, when", asked)), frames(clip))
    assert 1.5 < at < 2.6
    assert len(asked) == 1
    assert len(asked[0]) <= 2 * CAPTURE_RATE
    assert await woken(Word("hey_jarvis", answering("Hey, there is", asked)), frames(clip)) == []
    assert await woken(Word("hey_jarvis"), frames(clip)) == []


async def test_other_speech_and_silence_wake_nobody() -> None:
    asked: list[Pcm] = []
    word = Word("hey_jarvis", answering("", asked))
    questions = [soundfile.read(path) for path in sorted(QUESTIONS.rglob("*.flac"))[:12]]
    assert await woken(word, frames(*questions)) == []
    assert await woken(word, frames(PAUSE)) == []


async def test_who_hangs_up_on_it_while_it_asks_is_not_called_back() -> None:
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def recognise(pcm: Pcm) -> str:
        return await never

    word = Word("hey_jarvis", recognise)
    for heard in frames(soundfile.read(CALLS / "bf_alice-5.ogg")):
        assert not word.feed(heard)
    word.reset()
    await asyncio.sleep(0)
    assert not word.feed(frames(PAUSE)[0])


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hey Jarvis.", ""),
        ("I'm Hay Jarvis", ""),
        ("Um, hey, Jarvis! When are you open?", "When are you open?"),
        ("Heyjarvis is there a lift?", "is there a lift?"),
        ("Hey Charvis, hey", "hey"),
        ("Hey there, is there a lift?", None),
        ("Jar of this", None),
        ("hey", None),
        ("", None),
    ],
)
def test_the_word_as_a_recogniser_writes_it_and_what_follows(text: str, rest: str | None) -> None:
    assert called("Hey Jarvis", text) == rest


def test_near_speech_wakes_and_far_speech_and_noise_do_not() -> None:
    voiced = [0.0]
    near = NearSpeech(lambda pcm: voiced[0], near_dbfs=-45)
    loud, soft = np.full(FRAME_SAMPLES, 1000, np.int16), np.full(FRAME_SAMPLES, 60, np.int16)

    def fed(pcm: Pcm, probability: float, count: int) -> int:
        voiced[0] = probability
        near.reset()
        return sum(near.feed(Heard(pcm=pcm, raw=pcm, played=pcm, at=0.0)) for _ in range(count))

    assert fed(loud, 0.9, 12) == 1
    assert fed(loud, 0.9, 11) == 0
    assert fed(soft, 0.9, 50) == 0
    assert fed(loud, 0.1, 50) == 0


def describe(tmp_path: Path, **changes: Any) -> Path:
    """The JSON of an own model, next to a copy of one that works."""
    models = Path(pymicro_wakeword.__file__).parent / "models"
    about = json.loads((models / "alexa.json").read_text())
    (tmp_path / "alexa.tflite").write_bytes((models / "alexa.tflite").read_bytes())
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**about, "wake_word": "Reception", **changes}))
    return path


def test_an_own_model_by_path(tmp_path: Path) -> None:
    assert Word(str(describe(tmp_path))).words == "Reception"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_word_loads(name: str) -> None:
    assert Word(name).words


def test_a_word_that_is_none_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"kiosk\.word = 'hey_siri': it is none of okay_nabu, hey_jarvis"):
        Word("hey_siri")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": "gone.tflite"}, "gone.tflite: No such file"),
        ({"micro": {}}, "does not describe a microWakeWord model: KeyError"),
        ({"micro": None}, "does not describe"),
        ({"model": "own.json"}, "is no TensorFlow Lite model"),
    ],
)
def test_what_would_crash_tensorflow_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Word(str(describe(tmp_path, **changes)))


def test_what_is_no_json_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "word.json").write_text("nonsense")
    for name in ("word.json", "gone.json"):
        with pytest.raises(ConfigError, match=name):
            Word(str(tmp_path / name))
