"""End-of-turn detection: smart-turn v3.2, which hears whether a speaker has finished.

Its features are those it was trained on: the last 8 s, zeros in front where there is less, normalised as a whole to
zero mean and unit variance, then Whisper's 80-bin log-mel.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor

from appliance.terms.units import CAPTURE_RATE, Pcm

CONTEXT_SAMPLES = 8 * CAPTURE_RATE
VARIANCE_FLOOR = 1e-7


class SmartTurn:
    def __init__(self, model: str, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._extract = FeatureExtractor(chunk_length=8)
        for _ in range(2):  # the second time it takes the memory that it will need
            self.end_probability(np.zeros(CAPTURE_RATE, np.int16))

    def end_probability(self, pcm: Pcm) -> float:
        """0 to 1, by the sound of (n,) int16, 16 kHz mono."""
        audio = pcm[-CONTEXT_SAMPLES:].astype(np.float32) / 32768.0
        audio = np.pad(audio, (CONTEXT_SAMPLES - len(audio), 0))
        audio = (audio - audio.mean()) / np.sqrt(audio.var() + VARIANCE_FLOOR)
        features = self._extract(audio, padding=0).astype(np.float32)[None]
        (output,) = self._session.run(None, {"input_features": features})
        return float(np.asarray(output).ravel()[0])
