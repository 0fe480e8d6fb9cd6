"""What a text means, as vectors: two texts mean the same as far as theirs agree (their dot product)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """All vectors have length 1."""

    whole: Vectors
    """(384,) float32."""
    words: tuple[str, ...]
    """As the model reads them: lower case, punctuation apart."""
    each: Vectors
    """(n, 384) float32: of each word, where it stands."""


class Reader(Protocol):
    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        """What each of them means; what is only read `ahead` waits for what a caller says. Raises EngineError."""
