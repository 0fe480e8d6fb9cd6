"""Speech synthesis in a worker: piper. A clause in, PCM out, a sentence at a time."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import onnxruntime
from piper import PiperVoice
from piper.config import PiperConfig

from appliance.workers.mailbox import Answer, Mailbox, Request, serve_in_turn

MAX_TEXT = 2000


class Piper:
    """`synthesise`: `{text}` in, (n,) int16 PCM parts out at `facts["rate"]`."""

    def __init__(self, model: str, threads: int = 2) -> None:
        with open(f"{model}.json", encoding="utf-8") as file:
            config = PiperConfig.from_dict(json.load(file))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads would take the cores from the language model, which works at the same time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its own arena, and a plan kept for every length of clause, would grow to twice the memory and never shrink.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._voice = PiperVoice(session=session, config=config)
        self.facts: Mapping[str, Any] = {"rate": config.sample_rate}
        for _ in self._voice.synthesize("We are open, from nine to five."):
            pass

    def serve(self, mailbox: Mailbox) -> None:
        serve_in_turn(mailbox, self._handle)

    def _handle(self, request: Request) -> Answer:
        if request.op != "synthesise":
            raise ValueError(f"unknown operation {request.op!r}")
        for chunk in self._voice.synthesize(speakable(str(request.arguments.get("text", "")))):
            yield {}, chunk.audio_int16_array.astype("<i2").tobytes()


def speakable(text: str) -> str:
    """Text that cannot break the synthesiser: no control characters, symbols nobody pronounces, phoneme brackets.

    A NUL raises in espeak-ng, and `[[…]]` would be read as raw phonemes.
    """
    kept = (" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "So") else c for c in text[:MAX_TEXT])
    return " ".join("".join(kept).replace("[[", " ").replace("]]", " ").split())
