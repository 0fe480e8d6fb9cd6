"""What begins a conversation by sound: a wake word, or anybody who speaks near and loud enough."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from appliance.terms.errors import ConfigError
from appliance.terms.units import Pcm, dbfs

from .sound import Heard

BUILT_IN = tuple(model.value for model in Model)
TFLITE = b"TFL3"
"""A model's file identifier, at byte 4."""
MOST_BYTES = 10_000_000
DEAF_S = 1.5
"""After a word was heard, it is not heard again for so long."""
WINDOW = 16
NEEDED = 12
"""Of so many frames of 20 ms so many are speech: 240 ms, which no cough and no closing door is."""
SPEECH = 0.5


class Waker(Protocol):
    """`feed` it everything that is heard while nobody is here."""

    def feed(self, heard: Heard) -> bool:
        """Does a conversation begin?"""

    def reset(self) -> None:
        """Forget what was heard: a conversation lies between."""


class Word:
    """A wake word, by microWakeWord: 10 ms windows of the sound as the microphone has it, which it was trained on."""

    def __init__(self, name: str) -> None:
        """`name`: one of `BUILT_IN`, or the path of a model's JSON. Raises ConfigError."""
        self._model = MicroWakeWord.from_config(_own(Path(name))) if _is_path(name) else _built_in(name)
        self.words = str(self._model.wake_word)
        self._features = MicroWakeWordFeatures()
        self._deaf_until = 0.0

    def feed(self, heard: Heard) -> bool:
        found = False
        for features in self._features.process_streaming(heard.raw.tobytes()):
            found = bool(self._model.process_streaming(features)) or found
        if not found or heard.at < self._deaf_until:
            return False
        self._deaf_until = heard.at + DEAF_S
        return True

    def reset(self) -> None:
        self._features.reset()
        self._model.reset()


class NearSpeech:
    """Speech so near that it is meant for us. `voice` is silero's probability of (320,) int16 being speech."""

    def __init__(self, voice: Callable[[Pcm], float], near_dbfs: float) -> None:
        self._voice = voice
        self._near_dbfs = near_dbfs
        self._frames: deque[bool] = deque(maxlen=WINDOW)

    def feed(self, heard: Heard) -> bool:
        speech = self._voice(heard.pcm) >= SPEECH
        self._frames.append(speech and dbfs(heard.pcm) >= self._near_dbfs)
        return sum(self._frames) >= NEEDED

    def reset(self) -> None:
        self._frames.clear()


def _is_path(name: str) -> bool:
    return os.sep in name or name.endswith(".json")


def _built_in(name: str) -> MicroWakeWord:
    if name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise ConfigError([f"kiosk.word = {name!r}: it is none of {known}, and no path of a model's .json file"])
    return MicroWakeWord.from_builtin(Model(name))


def _own(path: Path) -> Path:
    """What TensorFlow would crash on is found here. Raises ConfigError."""
    path = path.expanduser()
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        weights = path.parent / str(about["model"])
        {**about["micro"]}["probability_cutoff"], about["micro"]["sliding_window_size"], str(about["wake_word"])
        if weights.stat().st_size > MOST_BYTES or weights.read_bytes()[4:8] != TFLITE:
            raise ConfigError([f"kiosk.word: {weights} is no TensorFlow Lite model"])
    except OSError as error:
        raise ConfigError([f"kiosk.word: {error.filename or path}: {error.strerror}"]) from error
    except (ValueError, KeyError, TypeError) as error:
        problem = f"kiosk.word: {path} does not describe a microWakeWord model: {error!r}"
        raise ConfigError([problem]) from error
    return path
