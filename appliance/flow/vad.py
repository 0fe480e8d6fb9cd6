"""What is speech: silero decides, webrtcvad hints; silence is told by loudness as well.

silero v6 runs here in the main process (0.1 ms a chunk; 0.5 ms where the processor slept before it). It takes 512 new
samples with the 64 before them and carries its state from call to call, so a 20 ms frame yields no verdict, one or,
over time, five for every eight frames.
"""

from __future__ import annotations

import importlib.util
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import webrtcvad

from appliance.terms.errors import ModelError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .hush import Hush
from .turns import SPEECH

CHUNK = 512
CONTEXT = 64
CHUNK_S = CHUNK / CAPTURE_RATE
AGGRESSIVE = 3
HINTED = 6
HINT_WINDOW = 8
ASLEEP_S = 0.5
"""After so much silence the models are not asked until there is a sound: a quarter of what a waiting call costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicing:
    """What a frame told: silero's probabilities for the 32 ms chunks it completed, whether webrtcvad hints at speech
    (in 6 of 8 frames), and for how long the voice has been silent by its loudness."""

    chunks: tuple[float, ...]
    hint: bool
    quiet_s: float


class Silero:
    """The model, shared by all calls; each call holds a `VoiceDetector` with its own state."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self.session = onnxruntime.InferenceSession(str(_asset()), options, providers=["CPUExecutionProvider"])


class VoiceDetector:
    """Frames of one call in, voicings out."""

    def __init__(self, silero: Silero) -> None:
        self._session = silero.session
        self._webrtc = webrtcvad.Vad(AGGRESSIVE)
        self._hints: deque[bool] = deque(maxlen=HINT_WINDOW)
        self._hush = Hush()
        self._probability = 0.0
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)
        self._waiting = np.zeros(0, np.float32)

    def feed(self, pcm: Pcm) -> Voicing:
        """(320,) int16, 16 kHz mono."""
        quiet_s = self._hush.feed(pcm, speech=self._probability >= SPEECH)
        asleep = quiet_s >= ASLEEP_S
        self._waiting = np.concatenate([self._waiting, pcm.astype(np.float32) / 32768.0])
        chunks: list[float] = []
        while len(self._waiting) >= CHUNK:
            chunk, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
            window = np.concatenate([self._context, chunk])[None]
            self._context = chunk[-CONTEXT:]
            self._probability = 0.0 if asleep else self._ask(window)
            chunks.append(self._probability)
        self._hints.append(not asleep and self._webrtc.is_speech(pcm.tobytes(), CAPTURE_RATE))
        return Voicing(chunks=tuple(chunks), hint=sum(self._hints) >= HINTED, quiet_s=quiet_s)

    def _ask(self, window: npt.NDArray[np.float32]) -> float:
        output, self._h, self._c = self._session.run(None, {"input": window, "h": self._h, "c": self._c})
        return float(np.asarray(output).ravel()[0])


def _asset() -> Path:
    """faster-whisper carries silero; finding it must not import it, which would load its inference library."""
    spec = importlib.util.find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise ModelError("silero_vad_v6.onnx is missing", mend="Install faster-whisper, which carries it.")
    return Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"
