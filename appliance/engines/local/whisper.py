"""Speech recognition in a worker: Whisper through CTranslate2, with a shortened encoder context.

Whisper pads every clip to 30 s, and for a short turn nearly all the time goes into that padding. Given features of 15 s
it takes less than half the time at almost no loss; where the shorter context confuses it (it repeats itself, or is
unsure) the clip is done again at the full 30 s.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
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
TOKENS_PER_S = 6.0
SPARE_TOKENS = 12

Features = npt.NDArray[np.float32]


class Whisper:
    """`transcribe`: PCM in, `{text, language}` out; with `partial`, of what is still being said."""

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

    def transcribe(self, pcm: Pcm, *, partial: bool = False) -> tuple[str, str]:
        """The words in (n,) int16, 16 kHz mono, empty where nobody speaks; and the language, of the longest piece.

        A `partial` is done with less context, and not again where it is unsure: then there are no words yet.
        """
        found = [self._partial(window) if partial else self._window(window) for window in windows(pcm)]
        language = max(found, key=lambda piece: len(piece[0]), default=("", self._language))[1]
        return " ".join(text for text, _ in found if text), language

    def _handle(self, request: Request) -> Answer:
        if request.op != "transcribe":
            raise ValueError(f"unknown operation {request.op!r}")
        pcm = np.frombuffer(request.data, np.int16)
        text, language = self.transcribe(pcm, partial=bool(request.arguments.get("partial")))
        yield {"text": text, "language": language}, b""

    def _window(self, pcm: Pcm) -> tuple[str, str]:
        features = self._whisper.feature_extractor(pcm.astype(np.float32) / 32768.0)
        seconds = len(pcm) / CAPTURE_RATE
        frames = max(SHORT_FRAMES, math.ceil(seconds * FRAMES_PER_S) + MARGIN_FRAMES)
        text, language, sure = self._decode(features, min(frames + frames % 2, FULL_FRAMES), seconds)
        if not sure and frames < FULL_FRAMES:
            text, language, _ = self._decode(features, FULL_FRAMES, seconds)
        return text, language

    def _partial(self, pcm: Pcm) -> tuple[str, str]:
        features = self._whisper.feature_extractor(pcm.astype(np.float32) / 32768.0)
        seconds = len(pcm) / CAPTURE_RATE
        frames = max(PARTIAL_FRAMES, math.ceil(seconds * FRAMES_PER_S) + MARGIN_FRAMES)
        text, language, sure = self._decode(features, min(frames + frames % 2, FULL_FRAMES), seconds)
        return (text if sure else ""), language

    def _decode(self, features: Features, frames: int, seconds: float) -> tuple[str, str, bool]:
        """The text with an encoder context of `frames` (10 ms each), its language, and whether it can be believed."""
        heard = ctranslate2.StorageView.from_array(np.ascontiguousarray(_fit(features, frames)[None]))
        language = self._language
        if language == AUTO:
            heard = self._whisper.model.encode(heard)
            language = self._whisper.model.detect_language(heard)[0][0][0].strip("<|>")
        tokenizer = self._tokenizer(language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        limit = min(224, int(seconds * TOKENS_PER_S) + SPARE_TOKENS)
        result = self._whisper.model.generate(
            heard,
            [prompt],
            beam_size=1,
            max_length=limit + len(prompt),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        if result.no_speech_prob >= NO_SPEECH:
            return "", language, True
        tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        text = tokenizer.decode(tokens).strip()
        encoded = text.encode()
        repeats = len(encoded) / max(1, len(zlib.compress(encoded))) > MAX_COMPRESSION
        return text, language, not (repeats or result.scores[0] < MIN_LOGPROB or len(tokens) >= limit - 1)

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            multilingual = self._whisper.model.is_multilingual
            self._tokenizers[language] = Tokenizer(
                self._whisper.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


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
