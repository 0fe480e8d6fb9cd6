"""libopus itself: packets made by PyAV's encoder."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.rtp.opus import SILENT_BYTES, Decoder, Encoder
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


def test_what_we_encode_repairs_what_was_lost(utterances: dict[str, Utterance]) -> None:
    """Far better than guessing: by how alike the lost frames and their replacements are."""
    speech = soundfile.read(utterances["lighthouse"].file, rate=48_000)
    encoder = Encoder(48_000)
    sent = [encoder.encode(frame) for frame in speech[: len(speech) // 960 * 960].reshape(-1, 960)]
    alike: list[float] = []
    for lost in range(20, len(sent) - 1):
        whole, repaired = Decoder(CAPTURE_RATE), Decoder(CAPTURE_RATE)
        for packet in sent[lost - 15 : lost]:
            whole.decode(packet)
            repaired.decode(packet)
        right, mended = whole.decode(sent[lost]), repaired.recover(sent[lost + 1])
        if dbfs(right) > -35:
            alike.append(float(np.corrcoef(right.astype(float), mended.astype(float))[0, 1]))
    assert np.median(alike) > 0.8


def test_silence_needs_no_packets() -> None:
    encoder = Encoder(48_000)
    sizes = [len(encoder.encode(np.zeros(960, np.int16))) for _ in range(30)]
    assert sizes[-1] <= SILENT_BYTES


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="100 samples"):
        Encoder(48_000).encode(np.zeros(100, np.int16))
