"""Speech synthesis in a worker: piper. A clause in, PCM out, a sentence at a time."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from piper import AudioChunk, PiperVoice
from piper.config import PiperConfig, SynthesisConfig

from appliance.dsp.loudness import gain_for, levelled
from appliance.terms.units import Pcm
from appliance.workers.mailbox import Answer, Mailbox, Request, serve_in_turn

from .threads import Threads, candidates, fastest
from .timing import GAP, ends

MAX_TEXT = 2000
AS_IT_IS = SynthesisConfig(normalize_audio=False)
"""piper would bring each sentence to full scale: a short one sounded up to 8 dB louder than a long one."""
CEIL = re.compile(rb'\x12(.)([\w/.]{1,120})\x1a.[\w/.]{1,120}"\x04Ceil', re.DOTALL)
"""In an ONNX file, a node of the kind `Ceil`: its output's length and name, its own name, its kind."""


class Piper:
    """`synthesise`: `{text}` in, (n,) int16 PCM parts out at `facts["rate"]`, each with `{words: [[word, end], …]}`."""

    def __init__(self, model: str, threads: int = 2) -> None:
        """`threads` 0: as many as are best."""
        with open(f"{model}.json", encoding="utf-8") as file:
            config = PiperConfig.from_dict(json.load(file))
        weights = with_durations(Path(model).read_bytes())

        def load(count: int) -> PiperVoice:
            return PiperVoice(session=_session(weights, count), config=config)

        best = Threads(threads) if threads else fastest(candidates(), lambda count: partial(_speak, load(count)))
        self._voice = load(best.count)
        self._gain_db = gain_for(_speak(self._voice), config.sample_rate)
        self.facts: Mapping[str, Any] = {"rate": config.sample_rate, **best.facts}

    def serve(self, mailbox: Mailbox) -> None:
        serve_in_turn(mailbox, self._handle)

    def _handle(self, request: Request) -> Answer:
        if request.op != "synthesise":
            raise ValueError(f"unknown operation {request.op!r}")
        text = speakable(str(request.arguments.get("text", "")))
        words = self._words(text)
        at, waiting = 0, next(words, None)
        for chunk in self._voice.synthesize(text, AS_IT_IS, include_alignments=True):
            said, marks = [], _marks(chunk)
            while waiting is not None and waiting[1] - at < len(marks):
                said.append([waiting[0], marks[waiting[1] - at]])
                waiting = next(words, None)
            at += len(chunk.phonemes) + len(GAP)
            pcm = levelled(chunk.audio_int16_array, self._gain_db, chunk.sample_rate)
            yield {"words": said}, pcm.astype("<i2").tobytes()

    def _words(self, text: str) -> Iterator[tuple[str, int]]:
        """The text's words, each with the index of the phoneme that follows it, a gap between sentences counted."""
        words = text.split()
        sentences = [sentence for sentence in self._voice.phonemize(text) if sentence]
        phonemes = [phoneme for sentence in sentences for phoneme in (*sentence, GAP)][:-1]
        counts = [sum(map(len, self._voice.phonemize(word))) for word in words]
        return zip(words, ends(counts, phonemes), strict=True)


def _session(weights: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores from the language model, which works at the same time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own arena, and a plan kept for every length of clause, would grow to twice the memory and never shrink.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _speak(voice: PiperVoice) -> Pcm:
    """What a voice is known by: sentences of several lengths, for it says no two of them equally loud."""
    chunks = voice.synthesize(
        "We are open, from nine to five. The lift is on the left. Thank you. Yes, it is.", AS_IT_IS
    )
    return np.concatenate([chunk.audio_int16_array for chunk in chunks])


def _marks(chunk: AudioChunk) -> list[int]:
    """The sample at which each of a sentence's phonemes begins, and, last, the sample at which it ends."""
    count, samples = len(chunk.phonemes), len(chunk.audio_float_array)
    if chunk.phoneme_alignments is None:
        return [round(i / max(1, count) * samples) for i in range(count + 1)]
    begin, *durations = (
        alignment.num_samples for alignment in chunk.phoneme_alignments
    )  # the first begins the sentence
    return [int(mark) for mark in np.minimum(np.cumsum([begin, *durations[:count]]), samples)]


def with_durations(model: bytes) -> bytes:
    """A piper voice that also tells how many samples each phoneme takes; as it was, where that is not found in it.

    What must become an output is the one `Ceil` (the predicted durations, rounded up). Protocol buffers merge what is
    appended: a graph with nothing but one more output. So the onnx package (and 200 MB while it loads a voice) is not
    needed.
    """
    names: set[bytes] = {name for length, name in CEIL.findall(model) if len(name) == length[0]}
    if len(names) != 1:
        return model
    name = names.pop()
    value = bytes([0x0A, len(name)]) + name  # ValueInfoProto.name
    graph = bytes([0x62, len(value)]) + value  # GraphProto.output
    return model + bytes([0x3A, len(graph)]) + graph  # ModelProto.graph


def speakable(text: str) -> str:
    """Text that cannot break the synthesiser: no control characters, symbols nobody pronounces, phoneme brackets.

    A NUL raises in espeak-ng, and `[[…]]` would be read as raw phonemes.
    """
    kept = (" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "So") else c for c in text[:MAX_TEXT])
    return " ".join("".join(kept).replace("[[", " ").replace("]]", " ").split())
