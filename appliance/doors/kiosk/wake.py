"""What begins a conversation by sound: a wake word, or anybody who speaks near and loud enough."""

from __future__ import annotations

import asyncio
import difflib
import json
import math
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

from appliance.terms.errors import ConfigError
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm, dbfs

from .sound import Heard

BUILT_IN = tuple(model.value for model in Model)
TFLITE = b"TFL3"
"""A model's file identifier, at byte 4."""
MOST_BYTES = 10_000_000
DEAF_S = 1.5
"""After a word was heard, or was not, it is not heard again for so long."""
PERHAPS = 0.04
"""From this probability on the recogniser is asked whether it was the word. The models' own bars are 0.9 and more, at
which they never take another word for it, and do not hear every voice: of one British speaker not a single call."""
SURE_S = 0.2
"""So long it may still become sure by itself: the word has not been said to its end yet."""
LOOK_S = 2.0
"""So much of the last sound it is asked about."""
WORD_S = 1.4
"""The word itself goes into the conversation, and is taken out of its words (`called`): cut out of the sound, it would
take the beginning of the question with it."""
LIKE = 0.75
"""How like the word's letters those of what was said must be: 1 is the same."""
WINDOW = 16
NEEDED = 12
"""Of so many frames of 20 ms so many are speech: 240 ms, which no cough and no closing door is."""
SPEECH = 0.5


Recognise = Callable[[Pcm], Awaitable[str]]
"""The words in (n,) int16, 16 kHz; nothing where they cannot be told now."""


class Waker(Protocol):
    """`feed` it everything that is heard while nobody is here."""

    since: float
    """What was heard after this moment is meant for us, once a conversation begins."""

    def feed(self, heard: Heard) -> bool:
        """Does a conversation begin?"""

    def reset(self) -> None:
        """Forget what was heard: a conversation lies between."""


class Word:
    """A wake word: microWakeWord hears that it may have been said, in the sound as the microphone has it, which it was
    trained on. Where it is not sure, the recogniser says whether it was."""

    def __init__(self, name: str, recognise: Recognise | None = None) -> None:
        """`name`: one of `BUILT_IN`, or the path of a model's JSON. Raises ConfigError."""
        self._model = MicroWakeWord.from_config(_own(Path(name))) if _is_path(name) else _built_in(name)
        self.words = str(self._model.wake_word)
        self.since = 0.0
        self._recognise = recognise
        self._features = MicroWakeWordFeatures()
        self._deaf_until = -math.inf
        self._lately: deque[Pcm] = deque(maxlen=round(LOOK_S * CAPTURE_RATE / FRAME_SAMPLES))
        self._perhaps_at: float | None = None
        self._asking: asyncio.Task[bool] | None = None

    def feed(self, heard: Heard) -> bool:
        self._lately.append(heard.raw)
        probability = 0.0
        for features in self._features.process_streaming(heard.raw.tobytes()):
            probability = max(probability, self._model.process_streaming_prob(features) or 0.0)
        if self._asking is not None:
            return self._answered()
        if heard.at < self._deaf_until:
            return False
        if probability > self._model.probability_cutoff:
            self._hold(heard.at)
            return True
        if self._perhaps_at is None:
            self._perhaps_at = heard.at if probability >= PERHAPS else None
        elif heard.at - self._perhaps_at >= SURE_S:
            self._hold(heard.at)
            if self._recognise is not None:
                self._asking = asyncio.create_task(self._ask(np.concatenate(self._lately)), name="wake word")
        return False

    def reset(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self._features.reset()
        self._model.reset()
        self._lately.clear()
        self._perhaps_at, self._deaf_until = None, -math.inf

    async def settled(self) -> None:
        """Once the recogniser has answered, if it was asked."""
        if self._asking is not None:
            await asyncio.wait({self._asking})

    def _hold(self, at: float) -> None:
        self.since, self._deaf_until, self._perhaps_at = at - WORD_S, at + DEAF_S, None

    def _answered(self) -> bool:
        assert self._asking is not None
        if not self._asking.done():
            return False
        task, self._asking = self._asking, None
        return task.result()

    async def _ask(self, pcm: Pcm) -> bool:
        assert self._recognise is not None
        return called(self.words, await self._recognise(pcm)) is not None


class NearSpeech:
    """Speech so near that it is meant for us. `voice` is silero's probability of (320,) int16 being speech."""

    def __init__(self, voice: Callable[[Pcm], float], near_dbfs: float) -> None:
        self.since = -math.inf
        self._voice = voice
        self._near_dbfs = near_dbfs
        self._frames: deque[bool] = deque(maxlen=WINDOW)

    def feed(self, heard: Heard) -> bool:
        speech = self._voice(heard.pcm) >= SPEECH
        self._frames.append(speech and dbfs(heard.pcm) >= self._near_dbfs)
        return sum(self._frames) >= NEEDED

    def reset(self) -> None:
        self._frames.clear()


def called(wanted: str, text: str) -> str | None:
    """What follows the word in a recogniser's text ("Hay Jarvis, is it …"); None where it is not among these words."""
    letters, words = _letters(wanted), text.split()
    count = len(wanted.split())
    likeness = difflib.SequenceMatcher(autojunk=False)
    likeness.set_seq2(letters)
    best, end = LIKE, 0
    for length in {count - 1, count, count + 1} - {0}:
        for start in range(len(words) - length + 1):
            likeness.set_seq1(_letters("".join(words[start : start + length])))
            if likeness.ratio() >= best:
                best, end = likeness.ratio(), start + length
    return " ".join(words[end:]) if end else None


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


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
