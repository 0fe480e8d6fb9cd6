"""`frontdesk bench stt`: word error rate and time on human speech."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from appliance.dsp import soundfile
from appliance.engines.contracts import Recogniser
from appliance.terms.errors import BadInput
from appliance.terms.units import CAPTURE_RATE, Pcm

from .words import word_errors

SAMPLE_S = 10
SAMPLE_RUNS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    name: str
    pcm: Pcm
    """(n,) int16, 16 kHz mono."""
    text: str


def default_folder() -> Path:
    """`benchmarks` of the checkout."""
    return Path(__file__).parents[2] / "benchmarks"


def load(folder: Path) -> list[Clip]:
    """The clips of `stt_clips.tsv`. Raises BadInput where they were not fetched."""
    listing = folder / "stt_clips.tsv"
    try:
        rows = [line.split("\t") for line in listing.read_text(encoding="utf-8").splitlines()[1:] if line]
    except OSError as error:
        raise BadInput(f"{listing}: {error.strerror}", mend="Run it in a checkout of the project.") from error
    try:
        return [Clip(name=path, pcm=soundfile.read(folder / "data" / path), text=text) for path, text in rows]
    except BadInput as error:
        raise BadInput(str(error), mend="Fetch the clips first: benchmarks/fetch_speech") from error


async def measure(recogniser: Recogniser, clips: list[Clip], tell: Callable[[str, str, str], None]) -> dict[str, Any]:
    """WER as a fraction, and ms a clip as the main process sees them; `tell` is told each clip's name, text and
    transcript as it is done."""
    errors = words = 0
    times: list[float] = []
    for clip in clips:
        began = time.perf_counter()
        heard = (await recogniser.transcribe(clip.pcm)).text
        times.append((time.perf_counter() - began) * 1000)
        wrong, total = word_errors(clip.text, heard)
        errors, words = errors + wrong, words + total
        tell(clip.name, clip.text, heard)
    return {
        "wer": round(errors / words, 4),
        "p50_ms": round(float(np.median(times)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
        "clips": len(clips),
        "audio_s": round(sum(len(c.pcm) for c in clips) / CAPTURE_RATE, 1),
        "sample_10s_ms": await _sample(recogniser, clips),
    }


async def _sample(recogniser: Recogniser, clips: list[Clip]) -> float:
    """The median time for 10 s of speech: the first clips that are long enough, cut there."""
    longest = max(clips, key=lambda clip: len(clip.pcm))
    pcm = longest.pcm[: SAMPLE_S * CAPTURE_RATE]
    times = []
    for _ in range(SAMPLE_RUNS):
        began = time.perf_counter()
        await recogniser.transcribe(pcm)
        times.append((time.perf_counter() - began) * 1000)
    return round(float(np.median(times)), 1)
