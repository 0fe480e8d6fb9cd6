"""Sound files in and out."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np

from appliance.terms.errors import BadInput, DeviceError
from appliance.terms.units import CAPTURE_RATE, Pcm

from .resample import samples

MAX_S = 120.0
PIECE = 4096


def read(path: Path, *, rate: int = CAPTURE_RATE, max_s: float = MAX_S) -> Pcm:
    """A sound file of any format, rate and channels as (n,) int16 mono at `rate`; bare `.g722` too.

    Raises BadInput where it is missing, no sound file, empty, or longer than `max_s` (read no further than that).
    """
    kind = "g722" if path.suffix == ".g722" else None
    return _decoded(path, str(path), kind, rate, max_s)


def decode(data: bytes, *, rate: int = CAPTURE_RATE, max_s: float = MAX_S) -> Pcm:
    """The same of a file's bytes."""
    return _decoded("the sound", io.BytesIO(data), None, rate, max_s)


def _decoded(path: Path | str, source: str | io.BytesIO, kind: str | None, rate: int, max_s: float) -> Pcm:
    try:
        with av.open(source, "r", format=kind) as container:
            if not container.streams.audio:
                raise BadInput(f"{path}: there is no sound in it")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
            pieces: list[Pcm] = []
            count = 0
            for frame in container.decode(audio=0):
                for piece in resampler.resample(frame):
                    pieces.append(samples(piece))
                    count += len(pieces[-1])
                if count > max_s * rate:
                    raise BadInput(
                        f"{path}: it is longer than {max_s:.0f} s, the longest that one turn may be",
                        mend="Cut out the question, or play it to a call.",
                    )
            pieces.extend(samples(piece) for piece in resampler.resample(None))
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except (av.FFmpegError, OSError) as error:
        raise BadInput(f"{path}: it is not a sound file that can be read ({error.strerror or error})") from error
    pcm = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    if not len(pcm):
        raise BadInput(f"{path}: it holds no sound")
    return pcm


def write(path: Path, pcm: Pcm, rate: int) -> None:
    """(n,) int16 mono as a WAV file, or as FLAC where the name ends so. Raises DeviceError where that fails."""
    codec, kind = ("flac", "flac") if path.suffix == ".flac" else ("pcm_s16le", "wav")
    try:
        with path.open("wb") as out, av.open(out, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=rate, layout="mono", format="s16")
            assert isinstance(stream, av.AudioStream)
            for start in range(0, len(pcm), PIECE):
                piece = np.ascontiguousarray(pcm[None, start : start + PIECE])
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except OSError as error:
        raise DeviceError(
            f"{path} cannot be written: {error.strerror}", mend="Is the disk full, or the folder not writable?"
        ) from error
