"""`frontdesk bench line`: what bad lines do to a call, by our media path and by stock aiortc's, in a real browser.

A Chromium in one network namespace calls an echo in another (`echo.py`), through a wire that loses and delays packets
(`wire.py`). It records what it sent and what came back, side by side; how much later the same sound came back is the
*mouth to ear* time, there and back. No models run meanwhile; afterwards the recogniser transcribes what came back and
what had been heard at the far end.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from appliance.dsp import soundfile
from appliance.dsp.resample import Resampler
from appliance.engines.contracts import Recogniser
from appliance.terms.errors import DeviceError, EngineError
from appliance.terms.units import CAPTURE_RATE, Pcm, dbfs

from .echo import OURS, STOCK
from .utterances import Utterance, load
from .wire import FAR, NEAR, Impairment, Wire, wire
from .words import word_errors

RATE = 48_000
LEAD_S = 4.0
"""Silence before the first clip: a call is set up meanwhile."""
GAP_S = 0.6
TAIL_S = 2.0
LINES = {
    "clean": Impairment(),
    "loss3": Impairment(loss=0.03, delay_ms=20.0, jitter_ms=8.0),
    "loss5": Impairment(loss=0.05, delay_ms=40.0, jitter_ms=30.0),
}
BURST_LINE = Impairment(delay_ms=20.0, jitter_ms=2.0)
BURST_PACKETS = 5
BURST_AFTER_S, USUAL_UNTIL_S = 16.0, 12.0
"""After the browser was started, which takes a second or two; into its recording."""
BURST_S = 32.0
SET_UP_WITHIN_S = 30.0
WINDOW_S = 1.0
STEP_S = 0.25
MOST_DELAY_S = 1.5
LIKE = 0.3
"""Two windows that resemble each other less than that are not the same sound."""
BACK_WITHIN_MS = 20.0
BREATHS = 8
BROWSER = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "--autoplay-policy=no-user-gesture-required",
)


def clips(folder: Path) -> list[Utterance]:
    """What is said: whole sentences."""
    known = load(folder)
    breaths = [u for u in known if u.group == "breath"][:BREATHS]
    return [u for u in known if u.group in ("question", "human")] + breaths


async def measure(said: Sequence[Utterance], recogniser: Recogniser, tell: Callable[[str], None]) -> dict[str, Any]:
    """By line: `mouth_to_ear_ms` and what else `record` tells of ours; the same of `stock` beside it. `wer_over_clean`:
    of what came back, `heard_wer_over_clean`: of what the far end heard, as fractions. Raises DeviceError."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="frontdesk-line-") as name:
        folder = Path(name)
        script, starts = _script(said, folder / "said.wav")
        for line, impairment in LINES.items():
            async with _far_end(impairment, folder) as far:
                for stack, offer in (("ours", OURS), ("stock", STOCK)):
                    row = await _record(far, offer, len(script) / RATE)
                    row |= await _wer(recogniser, said, script, starts, folder)
                    clean = found.get("clean", {}).get(stack, row)
                    row["wer_over_clean"] = round(row["wer"] - clean["wer"], 4)
                    row["heard_wer_over_clean"] = round(row["heard_wer"] - clean["heard_wer"], 4)
                    found.setdefault(line, {})[stack] = row
                    tell(f"{line}, {stack}: {row['mouth_to_ear_ms']:.0f} ms, WER {row['wer']:.1%}")
        async with _far_end(BURST_LINE, folder) as far:
            for stack, offer in (("ours", OURS), ("stock", STOCK)):
                row = await _record(far, offer, BURST_S, burst=True)
                found.setdefault("burst", {})[stack] = row
                tell(f"burst, {stack}: back after {row['delay_back_s']} s")
    return {line: {**stacks["ours"], "stock": stacks["stock"]} for line, stacks in found.items()}


async def _record(far: _FarEnd, offer: str, seconds: float, *, burst: bool = False) -> dict[str, Any]:
    """One call; what the far end tells of it, and the delays heard in the browser. Raises EngineError."""
    calling = asyncio.create_task(far.call(offer, seconds))
    if burst:
        await asyncio.sleep(BURST_AFTER_S)
        far.between.change(replace(BURST_LINE, burst=BURST_PACKETS))
    row = await calling
    microphone, back = (np.fromfile(far.folder / f"{name}.raw", np.int16) for name in ("mic", "back"))
    found = delays(microphone, back, RATE)
    row["mouth_to_ear_ms"] = round(float(np.median([ms for _, ms in found])), 1) if found else None
    if burst:
        row["delay_back_s"] = back_after(found)
    return row


def delays(sent: Pcm, back: Pcm, rate: int) -> list[tuple[float, float]]:
    """(s, ms) for each moment at which something was said and came back: how much later it did. (n,) int16 both."""
    found = []
    window, most = int(WINDOW_S * rate), int(MOST_DELAY_S * rate)
    for start in range(0, len(sent) - window - most, int(STEP_S * rate)):
        piece = sent[start : start + window].astype(np.float32)
        if dbfs(piece.astype(np.int16)) < -45:
            continue
        heard = back[start : start + window + most].astype(np.float32)
        likeness = _correlation(piece, heard)
        lag = int(np.argmax(likeness))
        if likeness[lag] >= LIKE:
            found.append((start / rate, lag * 1000.0 / rate))
    return found


def back_after(found: list[tuple[float, float]]) -> float | None:
    """s from the first moment that was late until none is later than `BACK_WITHIN_MS` beyond what was usual before
    `USUAL_UNTIL_S`; None: never."""
    usual = float(np.median([ms for at, ms in found if at < USUAL_UNTIL_S]))
    late = [at for at, ms in found if at >= USUAL_UNTIL_S and ms > usual + BACK_WITHIN_MS]
    if not late:
        return 0.0
    return round(late[-1] - late[0] + STEP_S, 2) if late[-1] < found[-1][0] else None


def _correlation(piece: np.ndarray[Any, Any], within: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How much `piece` resembles each place in `within`, from −1 to 1."""
    size = 1 << (len(within) + len(piece)).bit_length()
    product = np.fft.irfft(np.fft.rfft(within, size) * np.conj(np.fft.rfft(piece, size)), size)
    places = len(within) - len(piece) + 1
    energy = np.cumsum(np.concatenate([[0.0], np.square(within, dtype=np.float64)]))
    norms = np.sqrt(np.maximum(energy[len(piece) :] - energy[: -len(piece)], 1.0)) * np.linalg.norm(piece)
    likeness: np.ndarray[Any, Any] = product[:places] / np.maximum(norms[:places], 1.0)
    return likeness


def _script(said: Sequence[Utterance], file: Path) -> tuple[Pcm, list[tuple[int, int]]]:
    """All clips one after another as a WAV file at 48 kHz, and where each begins and ends."""
    pieces, places = [np.zeros(int(LEAD_S * RATE), np.int16)], []
    at = len(pieces[0])
    gap = np.zeros(int(GAP_S * RATE), np.int16)
    for utterance in said:
        pcm = soundfile.read(utterance.file, rate=RATE)
        places.append((at, at + len(pcm)))
        pieces += [pcm, gap]
        at += len(pcm) + len(gap)
    pieces.append(np.zeros(int(TAIL_S * RATE), np.int16))
    script = np.concatenate(pieces)
    with av.open(str(file), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(script[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return script, places


async def _wer(
    recogniser: Recogniser, said: Sequence[Utterance], script: Pcm, places: list[tuple[int, int]], folder: Path
) -> dict[str, float]:
    """The error rates of what came back and of what was heard at the far end."""
    small = Resampler(RATE, CAPTURE_RATE).feed(script)
    back = Resampler(RATE, CAPTURE_RATE).feed(np.fromfile(folder / "back.raw", np.int16))
    heard = np.fromfile(folder / "heard.raw", np.int16)
    rates = {}
    for name, recording in (("wer", back), ("heard_wer", heard)):
        errors = words = shift = 0
        for utterance, (begin, end) in zip(said, places, strict=True):
            ratio = CAPTURE_RATE / RATE
            cut, shift = _found(small, round(begin * ratio), round(end * ratio), recording, shift)
            text = (await recogniser.transcribe(cut)).text if len(cut) else ""
            wrong, total = word_errors(utterance.text, text)
            errors, words = errors + wrong, words + total
        rates[name] = round(errors / words, 4)
    return rates


def _found(script: Pcm, begin: int, end: int, recording: Pcm, shift: int) -> tuple[Pcm, int]:
    """What the script says there, in a recording of it; and by how much it is later there than in the script.

    It is looked for up to 4 s around `shift`, what that was before: what a recogniser is given has no time line, each
    stall makes it longer and each packet that never comes shorter.
    """
    slack = int(LEAD_S * CAPTURE_RATE)
    first = max(0, begin + shift - slack)
    within = recording[first : end + shift + slack].astype(np.float32)
    if len(within) <= end - begin:
        return recording[:0], shift
    at = first + int(np.argmax(_correlation(script[begin:end].astype(np.float32), within)))
    margin = int(0.2 * CAPTURE_RATE)
    return recording[max(0, at - margin) : at + end - begin + margin], at - begin


@dataclass(frozen=True, slots=True, kw_only=True)
class _FarEnd:
    """An echo behind a wire."""

    between: Wire
    folder: Path
    port: int
    reports: asyncio.StreamReader

    async def call(self, offer: str, seconds: float) -> dict[str, Any]:
        """Let a browser call it, and play `said.wav`. What the echo tells of the call. Raises EngineError."""
        origin = f"http://{FAR}:{self.port}"
        browser = shutil.which("chromium")
        if browser is None:
            raise DeviceError("chromium is missing", mend="Install Debian's chromium.")
        with tempfile.TemporaryDirectory(prefix="frontdesk-chromium-") as profile:
            flags = (
                f"--user-data-dir={profile}",
                f"--use-file-for-fake-audio-capture={self.folder / 'said.wav'}%noloop",
                f"--unsafely-treat-insecure-origin-as-secure={origin}",
            )
            page = f"{origin}/line.html?offer={offer}&seconds={seconds}"
            process = await asyncio.create_subprocess_exec(
                *self.between.at(NEAR, browser, *BROWSER, *flags, page), stderr=asyncio.subprocess.DEVNULL
            )
            try:
                async with asyncio.timeout(seconds + SET_UP_WITHIN_S):
                    report: dict[str, Any] = json.loads(await self.reports.readline())
            except (TimeoutError, ValueError):
                raise EngineError("the browser did not call the echo") from None
            finally:
                process.terminate()
                await process.wait()
        if "error" in report:
            raise EngineError(f"the browser could not call the echo: {report['error']}")
        return report


@asynccontextmanager
async def _far_end(line: Impairment, folder: Path) -> AsyncIterator[_FarEnd]:
    async with wire(line) as between:
        process = await asyncio.create_subprocess_exec(
            *between.at(FAR, sys.executable, "-m", "appliance.bench.echo", FAR, str(folder)),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            port = await process.stdout.readline()
            if not port:
                raise EngineError("the echo did not start")
            yield _FarEnd(between=between, folder=folder, port=int(port), reports=process.stdout)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
