"""G.711 and G.722: human speech through them, whole and with holes."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.rtp.codecs import decoder, encoder
from appliance.rtp.telephone import CODECS
from appliance.terms.units import Pcm, dbfs

RATE = 16_000
FRAME = 320


@pytest.fixture(scope="module")
def speech(utterances: dict[str, Utterance]) -> Pcm:
    pcm = soundfile.read(next(iter(utterances.values())).file, rate=RATE)
    return pcm[: len(pcm) // FRAME * FRAME]


def packets(codec: str, speech: Pcm) -> list[bytes]:
    speaking = encoder(codec, RATE)
    return [speaking.encode(frame) for frame in speech.reshape(-1, FRAME)]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_speech_comes_through(codec: str, speech: Pcm) -> None:
    listening = decoder(codec, RATE)
    sent = packets(codec, speech)
    assert {len(packet) for packet in sent} == {160}, "64 kbit/s, all three"
    heard = np.concatenate([listening.decode(packet) for packet in sent])
    assert len(heard) == pytest.approx(len(speech), abs=RATE // 100)
    best = max(np.corrcoef(speech[: len(heard) - delay], heard[delay : len(speech)])[0, 1] for delay in range(0, 160))
    assert best > 0.95
    assert dbfs(heard) == pytest.approx(dbfs(speech), abs=1)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_lost_packet_is_no_hole_and_no_click(codec: str, speech: Pcm) -> None:
    sent = packets(codec, speech)
    loudest = int(np.argmax([dbfs(frame) for frame in speech.reshape(-1, FRAME)]))
    listening = decoder(codec, RATE)
    pieces = [listening.decode(packet) for packet in sent[:loudest]]
    made_up = listening.conceal()
    after = listening.decode(sent[loudest + 1])
    assert len(made_up) == pytest.approx(FRAME, abs=32)
    assert dbfs(made_up) == pytest.approx(dbfs(pieces[-1]), abs=6)
    joined = np.concatenate([pieces[-1], made_up, after]).astype(int)
    whole = speech[(loudest - 1) * FRAME : (loudest + 2) * FRAME].astype(int)
    assert np.abs(np.diff(joined)).max() < 1.5 * np.abs(np.diff(whole)).max()


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_long_loss_fades_to_silence(codec: str, speech: Pcm) -> None:
    sent = packets(codec, speech)
    listening = decoder(codec, RATE)
    for packet in sent[: len(sent) // 2]:
        listening.decode(packet)
    made_up = [listening.conceal() for _ in range(6)]
    assert dbfs(made_up[-1]) < -70


@pytest.mark.parametrize("codec", sorted(CODECS))
@pytest.mark.parametrize("payload", [b"", bytes(1500)], ids=["empty", "huge"])
def test_what_is_no_packet_is_told(codec: str, payload: bytes) -> None:
    with pytest.raises(ValueError, match="no packet"):
        decoder(codec, RATE).decode(payload)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_noise_is_no_error(codec: str) -> None:
    listening = decoder(codec, RATE)
    random = np.random.default_rng(1)
    for size in (1, 7, 80, 160, 240, 960):
        assert len(listening.decode(random.bytes(size))) > 0 or size < 8
