"""Speech recognition in a worker: Whisper through CTranslate2, with a shortened encoder context.

Whisper pads every clip to 30 s, and for a short turn nearly all the time goes into that padding. Given features of 15 s
it takes less than half the time at almost no loss; where the shorter context confuses it (it repeats itself, or is
unsure) the clip is done again at the full 30 s.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm
from appliance.workers.mailbox import Answer, Mailbox, Request, serve_in_turn

from .threads import Threads, candidates, fastest

AUTO = "auto"
FRAMES_PER_S = 100
FULL_FRAMES = 30 * FRAMES_PER_S
SHORT_FRAMES = 15 * FRAMES_PER_S
PARTIAL_FRAMES = 10 * FRAMES_PER_S
"""Twice the word errors of 15 s in three quarters of its time: good enough for words that will be heard once more."""
MARGIN_FRAMES = 100
WINDOW_S = 28.0
"""Longer audio is cut into windows of at most this length, at its quietest moments."""
SEARCH_S = 6.0

NO_SPEECH = 0.94
"""Above this Whisper itself says that nobody spoke (silence and noise give "you" with ≥ 0.94)."""
MAX_COMPRESSION = 1.8
MIN_LOGPROB = -0.8
DOUBTFUL_LOGPROB = -0.1
"""Below this what was heard may be a word that the recogniser does not know: three of ten short questions."""
MOST_TERMS = 200
"""Tokens; of the 448 places half are for what was said before."""
START_OF_PREVIOUS = "<|startofprev|>"
TOKENS_PER_S = 6.0
SPARE_TOKENS = 12

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    text: str
    language: str
    again: str = ""
    """What was heard with the terms in mind, where the first hearing was in doubt."""
    sure: bool = True
    """It can be believed."""


class Whisper:
    """`transcribe`: PCM in, `{text, language, again}` out; with `partial`, of what is still being said."""

    def __init__(self, model: str, threads: int = 2, device: str = "cpu", language: str = "en") -> None:
        """`language`: Whisper's code of one, or `auto`: heard anew in each clip. `threads` 0: as many as are best."""
        if device == "cuda" and not ctranslate2.get_cuda_device_count():
            raise ValueError("stt.device = cuda, but CTranslate2 finds no CUDA device here: set it to cpu or auto")
        if threads:
            best = Threads(threads)
        else:
            best = fastest(candidates(), lambda count: _encoding(_load(model, device, count)))
        self._whisper = _load(model, device, best.count)
        if not self._whisper.model.is_multilingual and language != "en":
            raise ValueError(
                f"stt.language = {language}, but {model} knows English only: set stt.model to a multilingual one"
                " (whisper-base)"
            )
        if language != AUTO and language not in self._whisper.supported_languages:
            raise ValueError(f"stt.language = {language} is none of Whisper's: de, en, es, fr, … or auto")
        self._language = language
        self._tokenizers: dict[str, Tokenizer] = {}
        self.facts: Mapping[str, Any] = best.facts
        self.transcribe(np.zeros(CAPTURE_RATE, np.int16))

    def serve(self, mailbox: Mailbox) -> None:
        serve_in_turn(mailbox, self._handle)

    def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Heard:
        """The words in (n,) int16, 16 kHz mono, empty where nobody speaks; and the language, of the longest piece.

        A `partial` is done with less context, and not again where it is unsure: then there are no words yet. `terms`
        are words that may well be said; what is heard with them in mind is told beside the text.
        """
        found = [self._partial(window) if partial else self._window(window, terms) for window in windows(pcm)]
        longest = max(found, key=lambda piece: len(piece.text), default=Heard(text="", language=self._language))
        again = any(piece.again for piece in found)
        return Heard(
            text=" ".join(piece.text for piece in found if piece.text),
            language=longest.language,
            again=" ".join(piece.again or piece.text for piece in found) if again else "",
        )

    def _handle(self, request: Request) -> Answer:
        if request.op != "transcribe":
            raise ValueError(f"unknown operation {request.op!r}")
        pcm = np.frombuffer(request.data, np.int16)
        arguments = request.arguments
        heard = self.transcribe(pcm, partial=bool(arguments.get("partial")), terms=str(arguments.get("terms", "")))
        yield {"text": heard.text, "language": heard.language, "again": heard.again}, b""

    def _window(self, pcm: Pcm, terms: str) -> Heard:
        features = self._whisper.feature_extractor(pcm.astype(np.float32) / 32768.0)
        seconds = len(pcm) / CAPTURE_RATE
        frames = max(SHORT_FRAMES, math.ceil(seconds * FRAMES_PER_S) + MARGIN_FRAMES)
        heard = self._decode(features, min(frames + frames % 2, FULL_FRAMES), seconds, terms)
        if not heard.sure and frames < FULL_FRAMES:
            heard = self._decode(features, FULL_FRAMES, seconds, terms)
        return heard

    def _partial(self, pcm: Pcm) -> Heard:
        features = self._whisper.feature_extractor(pcm.astype(np.float32) / 32768.0)
        seconds = len(pcm) / CAPTURE_RATE
        frames = max(PARTIAL_FRAMES, math.ceil(seconds * FRAMES_PER_S) + MARGIN_FRAMES)
        heard = self._decode(features, min(frames + frames % 2, FULL_FRAMES), seconds)
        return heard if heard.sure else replace(heard, text="")

    def _decode(self, features: Features, frames: int, seconds: float, terms: str = "") -> Heard:
        """What is heard with an encoder context of `frames` (10 ms each)."""
        sound = ctranslate2.StorageView.from_array(np.ascontiguousarray(_fit(features, frames)[None]))
        sound = self._whisper.model.encode(sound)
        language = self._language
        if language == AUTO:
            language = self._whisper.model.detect_language(sound)[0][0][0].strip("<|>")
        tokenizer = self._tokenizer(language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        limit = min(224, int(seconds * TOKENS_PER_S) + SPARE_TOKENS)
        result = self._generate(sound, prompt, limit)
        if result.no_speech_prob >= NO_SPEECH:
            return Heard(text="", language=language)
        tokens, text = _text(result, tokenizer)
        encoded = text.encode()
        repeats = len(encoded) / max(1, len(zlib.compress(encoded))) > MAX_COMPRESSION
        sure = not (repeats or result.scores[0] < MIN_LOGPROB or len(tokens) >= limit - 1)
        again = ""
        if terms and (sure or frames == FULL_FRAMES) and result.scores[0] < DOUBTFUL_LOGPROB:
            before = self._whisper.hf_tokenizer.token_to_id(START_OF_PREVIOUS)
            told = [before, *tokenizer.encode(f" {terms}.")[:MOST_TERMS]]
            _, again = _text(self._generate(sound, [*told, *prompt], limit), tokenizer)
        return Heard(text=text, language=language, again=again, sure=sure)

    def _generate(self, sound: ctranslate2.StorageView, prompt: list[int], limit: int) -> Any:
        """At most `limit` tokens after the prompt. (CTranslate2 makes half of `max_length` at most.)"""
        return self._whisper.model.generate(
            sound,
            [prompt],
            beam_size=1,
            max_length=max(2 * limit, limit + len(prompt)),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            multilingual = self._whisper.model.is_multilingual
            self._tokenizers[language] = Tokenizer(
                self._whisper.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def _text(result: Any, tokenizer: Tokenizer) -> tuple[list[int], str]:
    tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
    return tokens, tokenizer.decode(tokens).strip()


def _load(model: str, device: str, threads: int) -> WhisperModel:
    return WhisperModel(model, device=device, compute_type="int8", cpu_threads=threads, local_files_only=True)


def _encoding(whisper: WhisperModel) -> Callable[[], object]:
    """What takes most of a short turn's time."""
    silence = np.zeros((1, whisper.feature_extractor.mel_filters.shape[0], SHORT_FRAMES), np.float32)
    return lambda: np.asarray(whisper.model.encode(ctranslate2.StorageView.from_array(silence), to_cpu=True))


def _fit(features: Features, frames: int) -> Features:
    """(80, n) features cut or padded to (80, frames); padding is their own minimum, which is silence."""
    fitted = features[:, :frames].astype(np.float32)
    missing = frames - fitted.shape[1]
    return np.pad(fitted, ((0, 0), (0, missing)), constant_values=float(features.min())) if missing > 0 else fitted


def windows(pcm: Pcm) -> Iterator[Pcm]:
    """(n,) int16, 16 kHz, as pieces of at most 28 s, each cut at the quietest 20 ms of its last 6 s."""
    limit, search = int(WINDOW_S * CAPTURE_RATE), int(SEARCH_S * CAPTURE_RATE)
    while len(pcm) > limit:
        tail = pcm[limit - search : limit].astype(np.float32).reshape(-1, FRAME_SAMPLES)
        quietest = int(np.square(tail).mean(axis=1).argmin())
        cut = limit - search + quietest * FRAME_SAMPLES + FRAME_SAMPLES // 2
        yield pcm[:cut]
        pcm = pcm[cut:]
    if len(pcm):
        yield pcm
