"""Bits and repetition by the loss that is reported."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.rtp.adapt import LEAST_BITS, LEAST_LOSS, MOST_BITS, MOST_LOSS, Adapter, Sending
from appliance.rtp.opus import Encoder


def test_a_clean_line_has_all_the_bits() -> None:
    adapter = Adapter()
    assert {adapter.report(0.0) for _ in range(10)} == {Sending(bits_per_s=MOST_BITS, expected_loss=LEAST_LOSS)}


def test_some_loss_is_mended_with_the_same_bits() -> None:
    adapter = Adapter()
    told = [adapter.report(0.08) for _ in range(10)][-1]
    assert told.bits_per_s == MOST_BITS
    assert told.expected_loss == 12


def test_a_full_network_gets_fewer_bits_at_once_and_more_again_slowly() -> None:
    adapter = Adapter()
    falling = [adapter.report(0.4).bits_per_s for _ in range(8)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == LEAST_BITS
    rising = [adapter.report(0.0).bits_per_s for _ in range(40)]
    assert rising[3] < MOST_BITS / 2
    assert rising[-1] == MOST_BITS


@given(st.lists(st.floats(-1.0, 2.0)))
def test_whatever_is_reported_stays_within_bounds(losses: list[float]) -> None:
    adapter = Adapter()
    for loss in losses:
        told = adapter.report(loss)
        assert LEAST_BITS <= told.bits_per_s <= MOST_BITS
        assert LEAST_LOSS <= told.expected_loss <= MOST_LOSS


def test_the_encoder_does_as_it_is_told(utterances: dict[str, Utterance]) -> None:
    pcm = soundfile.read(utterances["wifi"].file, rate=48_000)
    frames = pcm[: len(pcm) // 960 * 960].reshape(-1, 960)

    def bits_per_s(sending: Sending) -> float:
        encoder = Encoder(48_000, dtx=False)
        encoder.adapt(sending.bits_per_s, sending.expected_loss)
        return float(np.mean([len(encoder.encode(frame)) for frame in frames])) * 8 * 50

    assert bits_per_s(Sending(bits_per_s=LEAST_BITS)) < 16_000
    assert 26_000 < bits_per_s(Sending(bits_per_s=MOST_BITS)) < 38_000
