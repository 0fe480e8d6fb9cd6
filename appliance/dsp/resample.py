"""Streaming sample-rate conversion. FFmpeg's resampler holds back 1–2 ms; soxr's best would hold 24–90 ms."""

from __future__ import annotations

import av
import numpy as np

from appliance.terms.units import Pcm


class Resampler:
    """(n,) int16 mono at `source` Hz in, the same at `target` Hz out, a piece at a time."""

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._same = source == target
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=target)

    def feed(self, pcm: Pcm) -> Pcm:
        """What of the stream is ready after `pcm`."""
        if self._same or not len(pcm):
            return pcm
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
        frame.sample_rate = self._source
        return self._join(self._resampler.resample(frame))

    def finish(self) -> Pcm:
        """The rest, at the stream's end."""
        return np.zeros(0, np.int16) if self._same else self._join(self._resampler.resample(None))

    @staticmethod
    def _join(frames: list[av.AudioFrame]) -> Pcm:
        return np.concatenate([samples(frame) for frame in frames]) if frames else np.zeros(0, np.int16)


def samples(frame: av.AudioFrame) -> Pcm:
    """A frame of s16 sound as (n,) int16; several channels become their mean."""
    pcm = frame.to_ndarray().astype(np.int16, copy=False).ravel()
    channels = len(frame.layout.channels)
    return pcm if channels == 1 else pcm.reshape(-1, channels).mean(axis=1).astype(np.int16)
