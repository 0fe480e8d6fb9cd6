from __future__ import annotations

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.dsp import soundfile
from appliance.dsp.dtmf import HIGH, KEYS, LOW, ToneKeys
from appliance.rtp.codecs import decoder, encoder
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm


def tones(key: str, ms: int, *, level: float = 0.25, twist_db: float = 0.0) -> Pcm:
    row = next(i for i, keys in enumerate(KEYS) if key in keys)
    at = np.arange(CAPTURE_RATE * ms // 1000) / CAPTURE_RATE
    low = np.sin(2 * np.pi * LOW[row] * at)
    high = np.sin(2 * np.pi * HIGH[KEYS[row].index(key)] * at) * 10 ** (twist_db / 20)
    return ((low + high) * level * 0.5 * 32767).astype(np.int16)


def heard(pcm: Pcm) -> str:
    keys = ToneKeys()
    whole = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return "".join(keys.feed(frame) for frame in whole)


@pytest.mark.parametrize("offset", [0, 100, 250])
def test_every_key_is_heard_once(offset: int) -> None:
    said = "".join(KEYS)
    quiet = np.zeros(CAPTURE_RATE // 20, np.int16)
    sound = np.concatenate([np.zeros(offset, np.int16), *(part for key in said for part in (tones(key, 80), quiet))])
    assert heard(sound) == said


@pytest.mark.parametrize("twist_db", [-6, -3, 3, 6])
def test_uneven_and_noisy_ones_too(twist_db: float) -> None:
    sound = tones("5", 100, twist_db=twist_db)
    noise = np.random.default_rng(1).normal(0, 150, len(sound))
    assert heard((sound + noise).astype(np.int16)) == "5"


def test_a_key_over_the_telephones_codec() -> None:
    there, back = encoder("audio/pcmu", CAPTURE_RATE), decoder("audio/pcmu", CAPTURE_RATE)
    frames = np.concatenate([tones("8", 100), np.zeros(4 * FRAME_SAMPLES, np.int16)]).reshape(-1, FRAME_SAMPLES)
    assert heard(np.concatenate([back.decode(there.encode(frame)) for frame in frames])) == "8"


def test_short_clicks_and_single_tones_are_none() -> None:
    assert heard(tones("1", 20)) == ""
    at = np.arange(CAPTURE_RATE) / CAPTURE_RATE
    assert heard((8000 * np.sin(2 * np.pi * 770 * at)).astype(np.int16)) == ""


def test_voices_press_no_keys(utterances: dict[str, Utterance]) -> None:
    """Q.24 calls it talk-off."""
    assert [u.id for u in utterances.values() if heard(soundfile.read(u.file))] == []
