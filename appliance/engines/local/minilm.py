"""What sentences mean: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), English."""

from __future__ import annotations

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from appliance.terms.meaning import Meaning, Vectors

MOST_TOKENS = 128
CONTINUES = "##"


class MiniLm:
    """`model` is the ONNX file; its `tokenizer.json` lies beside it."""

    def __init__(self, model: str, tokenizer: str, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self.read("Warm.")

    def read(self, text: str) -> Meaning:
        """One text, of which the first 128 tokens count."""
        encoded = self._tokenizer.encode(text)
        ids = np.array([encoded.ids], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states: Vectors = np.asarray(self._session.run(None, inputs)[0], np.float32)[0]
        words: list[str] = []
        of_word: list[list[int]] = []
        last: int | None = None
        for position, (token, word) in enumerate(zip(encoded.tokens, encoded.word_ids, strict=True)):
            if word is None:
                continue
            if word == last:
                words[-1] += token.removeprefix(CONTINUES)
                of_word[-1].append(position)
            else:
                words.append(token)
                of_word.append([position])
            last = word
        each = np.stack([states[at].mean(axis=0) for at in of_word]) if of_word else states[:0]
        return Meaning(whole=_unit(states.mean(axis=0)), words=tuple(words), each=_unit(each))


def _unit(vectors: Vectors) -> Vectors:
    """Of length 1; along the last axis."""
    found: Vectors = (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)).astype(np.float32)
    return found
