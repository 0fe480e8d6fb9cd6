"""libopus itself: packets made by PyAV's encoder."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from appliance.rtp.opus import Decoder
from appliance.terms.units import CAPTURE_RATE, dbfs

HZ = 440.0


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    """A second of a tone, 20 ms each."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.options = {"application": "voip", "fec": "1", "packet_loss": "20", "frame_duration": "20"}
    encoder.bit_rate = 24_000
    tone = (np.sin(2 * np.pi * HZ * np.arange(48_000) / 48_000) * 10_000).astype(np.int16)
    made: list[bytes] = []
    for i in range(50):
        frame = av.AudioFrame.from_ndarray(tone[None, i * 960 : (i + 1) * 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, i * 960, Fraction(1, 48_000)
        made += [bytes(packet) for packet in encoder.encode(frame)]
    return made


def test_a_tone_comes_out_at_our_rate(packets: list[bytes]) -> None:
    decoder = Decoder(CAPTURE_RATE)
    pcm = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(pcm) == len(packets) * CAPTURE_RATE // 50
    spectrum = np.abs(np.fft.rfft(pcm[-8000:].astype(float)))
    assert abs(int(spectrum.argmax()) * CAPTURE_RATE / 8000 - HZ) < 5


def test_what_is_lost_is_replaced_by_something_like_it(packets: list[bytes]) -> None:
    decoder = Decoder(CAPTURE_RATE)
    for packet in packets[:20]:
        decoder.decode(packet)
    recovered = decoder.recover(packets[21])
    assert len(recovered) == CAPTURE_RATE // 50
    assert dbfs(recovered) > -25
    decoder.decode(packets[21])
    faded = [dbfs(decoder.conceal()) for _ in range(30)]
    assert faded[0] > -25
    assert faded[-1] < faded[0] - 20


@pytest.mark.parametrize("payload", [b"\xff", b"\x03", bytes(range(256)) * 20])
def test_what_is_no_packet_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="opus"):
        Decoder(CAPTURE_RATE).decode(payload)


def test_a_rate_that_opus_does_not_know() -> None:
    with pytest.raises(ValueError, match="22050"):
        Decoder(22_050)
