"""Opus as a phone line needs it: libopus by ctypes, with recovery (FEC) and concealment (PLC), which PyAV lacks; and an
encoder that works in a tenth of a millisecond, without a thread.

The library is the one that PyAV carries, else the system's (Debian's libopus0). RFC 6716, RFC 7587.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

from appliance.terms.units import Pcm

CLOCK_RATE = 48_000
"""Of Opus's RTP timestamps, whatever the rate of the sound (RFC 7587)."""
LONGEST_S = 0.12
FRAME_S = 0.02
SYSTEM = "libopus.so.0"
VOIP = 2048
BITRATE, COMPLEXITY, INBAND_FEC, PACKET_LOSS, DTX, SIGNAL = 4002, 4010, 4012, 4014, 4016, 4024
"""Requests of opus_encoder_ctl (opus_defines.h)."""
VOICE = 3001
BITS_PER_S = 32_000
EFFORT = 1
"""Of 10. At these bits more is not heard, and takes two and a half times as long."""
EXPECTED_LOSS = 10
"""Percent: how much is spent on repeating each packet in the next one. At 5 and these bits Opus repeats nothing."""
MOST_BYTES = 1275
SILENT_BYTES = 2
"""A packet no longer than this says only that there is silence until the next one (RFC 6716, DTX)."""


class Decoder:
    """Packets of one stream, in order, as (n,) int16 mono at `rate` Hz (8, 12, 16, 24 or 48 kHz)."""

    def __init__(self, rate: int) -> None:
        """Raises OSError where there is no libopus."""
        self._library = _library()
        self._frame = int(rate * FRAME_S)
        self._longest = int(rate * LONGEST_S)
        error = ctypes.c_int()
        self._state = self._library.opus_decoder_create(rate, 1, ctypes.byref(error))
        if error.value:
            raise ValueError(f"opus: no decoder at {rate} Hz: {_words(self._library, error.value)}")

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_decoder_destroy(self._state)

    def decode(self, payload: bytes) -> Pcm:
        """The next packet. Raises ValueError where it is none of Opus's."""
        return self._decode(payload, self._longest, fec=False)

    def recover(self, following: bytes) -> Pcm:
        """The lost packet before `following`, from what that repeats of it; guessed where it repeats nothing."""
        return self._decode(following, self._frame, fec=True)

    def conceal(self) -> Pcm:
        """20 ms in place of a lost packet: the voice goes on a little, then fades."""
        return self._decode(None, self._frame, fec=False)

    def _decode(self, payload: bytes | None, most: int, *, fec: bool) -> Pcm:
        pcm = np.empty(most, np.int16)
        size = len(payload) if payload else 0
        count = self._library.opus_decode(self._state, payload, size, pcm.ctypes.data, most, int(fec))
        if count < 0:
            raise ValueError(f"opus: {_words(self._library, count)}")
        return pcm[:count]


class Encoder:
    """(n,) int16 mono of 20 ms at `rate` Hz (8, 12, 16, 24 or 48 kHz) as packets that can repair their forerunners."""

    def __init__(self, rate: int, *, dtx: bool = True) -> None:
        """`dtx`: in silence, say so and no more. Raises OSError where there is no libopus."""
        self._library = _library()
        self._frame = int(rate * FRAME_S)
        self._packet = ctypes.create_string_buffer(MOST_BYTES)
        error = ctypes.c_int()
        self._state = self._library.opus_encoder_create(rate, 1, VOIP, ctypes.byref(error))
        if error.value:
            raise ValueError(f"opus: no encoder at {rate} Hz: {_words(self._library, error.value)}")
        for request, value in ((COMPLEXITY, EFFORT), (INBAND_FEC, 1), (DTX, int(dtx)), (SIGNAL, VOICE)):
            self._ask(request, value)
        self.adapt(BITS_PER_S, EXPECTED_LOSS)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_encoder_destroy(self._state)

    def adapt(self, bits_per_s: int, expected_loss: int) -> None:
        """From the next packet on; `expected_loss` in percent."""
        self._ask(BITRATE, bits_per_s)
        self._ask(PACKET_LOSS, expected_loss)

    def _ask(self, request: int, value: int) -> None:
        self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value))

    def encode(self, pcm: Pcm) -> bytes:
        """One packet; of at most SILENT_BYTES where none need follow until there is something to hear."""
        if len(pcm) != self._frame:
            raise ValueError(f"opus: {len(pcm)} samples are no frame of {self._frame}")
        pcm = np.ascontiguousarray(pcm)
        size = self._library.opus_encode(self._state, pcm.ctypes.data, self._frame, self._packet, MOST_BYTES)
        if size < 0:
            raise ValueError(f"opus: {_words(self._library, size)}")
        return self._packet.raw[:size]


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_path())
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.opus_strerror.restype = ctypes.c_char_p
    library.opus_decoder_create.restype = pointer
    library.opus_decoder_create.argtypes = [ctypes.c_int32, number, ctypes.POINTER(number)]
    library.opus_decoder_destroy.argtypes = [pointer]
    library.opus_decode.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int32, pointer, number, number]
    library.opus_encoder_create.restype = pointer
    library.opus_encoder_create.argtypes = [ctypes.c_int32, number, number, ctypes.POINTER(number)]
    library.opus_encoder_destroy.argtypes = [pointer]
    library.opus_encoder_ctl.argtypes = [pointer, number]
    library.opus_encode.argtypes = [pointer, pointer, number, ctypes.c_char_p, ctypes.c_int32]
    return library


def _path() -> str:
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        carried = sorted((Path(spec.origin).parents[1] / "av.libs").glob("libopus*.so*"))
        if carried:
            return str(carried[0])
    return SYSTEM


def _words(library: ctypes.CDLL, error: int) -> str:
    return str(library.opus_strerror(error).decode())
