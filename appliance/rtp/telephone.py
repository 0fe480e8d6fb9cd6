"""The telephone's codecs, G.711 (μ-law, A-law) and G.722: by FFmpeg, with concealment of our own.

ITU-T G.711, G.722; RFC 3551.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from appliance.dsp.conceal import Concealer
from appliance.dsp.resample import Resampler, samples
from appliance.terms.units import FRAME_MS, Pcm

LONGEST_BYTES = 960
"""120 ms; nobody sends more, and what is longer is none of ours."""


@dataclass(frozen=True, slots=True)
class Codec:
    """`rate`: of its sound."""

    ffmpeg: str
    rate: int


CODECS = {
    "audio/pcmu": Codec("pcm_mulaw", 8000),
    "audio/pcma": Codec("pcm_alaw", 8000),
    "audio/g722": Codec("g722", 16_000),
}


class Decoder:
    """Packets of one stream, in order, as (n,) int16 mono at `rate` Hz."""

    def __init__(self, codec: Codec, rate: int) -> None:
        self._context = _context(codec, "r")
        self._resampler = Resampler(codec.rate, rate)
        self._concealer = Concealer(codec.rate)

    def decode(self, payload: bytes) -> Pcm:
        """The next packet. Raises ValueError where it is none of these."""
        if not payload or len(payload) > LONGEST_BYTES:
            raise ValueError(f"{self._context.name}: {len(payload)} bytes are no packet")
        frames = self._context.decode(av.Packet(payload))
        return self._resampler.feed(self._concealer.heard(np.concatenate([samples(frame) for frame in frames])))

    def recover(self, following: bytes) -> Pcm:
        """These codecs repeat nothing of a lost packet: it is concealed."""
        return self.conceal()

    def conceal(self) -> Pcm:
        """20 ms in place of a lost packet: the voice goes on a little, then fades."""
        return self._resampler.feed(self._concealer.lost())


class Encoder:
    """(n,) int16 mono of 20 ms at `rate` Hz as packets."""

    def __init__(self, codec: Codec, rate: int) -> None:
        self._context = _context(codec, "w")
        self._rate = codec.rate
        self._whole = rate * FRAME_MS // 1000
        self._frame = codec.rate * FRAME_MS // 1000
        self._resampler = Resampler(rate, codec.rate)
        self._waiting = np.zeros(self._frame // 4, np.int16)  # the resampler holds 1 to 2 ms back

    def adapt(self, bits_per_s: int, expected_loss: int) -> None:
        """These codecs have one way to send."""

    def encode(self, pcm: Pcm) -> bytes:
        """One packet. Raises ValueError where `pcm` is not 20 ms."""
        if len(pcm) != self._whole:
            raise ValueError(f"{self._context.name}: {len(pcm)} samples are no frame of {self._whole}")
        waiting = np.concatenate([self._waiting, self._resampler.feed(pcm)])
        ready, self._waiting = waiting[: self._frame], waiting[self._frame :]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(ready)[None], format="s16", layout="mono")
        frame.sample_rate = self._rate
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


def _context(codec: Codec, mode: str) -> av.AudioCodecContext:
    context = av.CodecContext.create(codec.ffmpeg, mode)  # type: ignore[call-overload]
    assert isinstance(context, av.AudioCodecContext)
    context.format, context.layout, context.sample_rate = "s16", "mono", codec.rate
    return context
