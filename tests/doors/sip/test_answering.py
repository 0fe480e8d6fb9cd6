from __future__ import annotations

import numpy as np
import pytest

from appliance.bench.utterances import Utterance
from appliance.doors.sip.answering import Answering, Verdict
from appliance.dsp import soundfile
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * CAPTURE_RATE), np.int16)


def beep(hertz: float = 1000.0, seconds: float = 0.4) -> Pcm:
    return (6000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * CAPTURE_RATE)) / CAPTURE_RATE)).astype(np.int16)


def verdicts(*sounds: Pcm) -> list[tuple[float, Verdict]]:
    """With the seconds at which they were told, until one of them ends it."""
    pcm, answering = np.concatenate(sounds), Answering()
    told = []
    for i, frame in enumerate(pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)):
        if (verdict := answering.feed(frame)) is not None:
            told.append((round(i * 0.02, 2), verdict))
            if verdict is not Verdict.MACHINE:
                break
    return told


@pytest.fixture
def hello(utterances: dict[str, Utterance]) -> Pcm:
    """A few words."""
    return soundfile.read(utterances["parking"].file)


def test_a_person_says_a_word_and_waits(hello: Pcm) -> None:
    ((at, verdict),) = verdicts(silence(0.5), hello, silence(3.0))
    assert verdict is Verdict.PERSON
    assert at == pytest.approx(0.5 + len(hello) / CAPTURE_RATE + 0.6, abs=0.5)


def test_to_who_says_nothing_we_begin() -> None:
    ((at, verdict),) = verdicts(silence(10.0))
    assert verdict is Verdict.PERSON
    assert at == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("hertz", [440.0, 1000.0, 1400.0, 2000.0])
def test_a_machine_talks_on_and_beeps(hello: Pcm, hertz: float) -> None:
    greeting = [hello, silence(0.3)] * 5
    length = sum(map(len, greeting)) / CAPTURE_RATE
    told = verdicts(*greeting, beep(hertz), silence(5.0))
    assert [verdict for _, verdict in told] == [Verdict.MACHINE, Verdict.RECORDING]
    assert told[1][0] == pytest.approx(length + 0.4, abs=0.1)


def test_a_beep_at_once_is_a_machine_too() -> None:
    ((at, verdict),) = verdicts(silence(0.5), beep(), silence(5.0))
    assert verdict is Verdict.RECORDING
    assert at == pytest.approx(0.9, abs=0.1)


def test_a_machine_without_a_beep_records_after_a_silence(hello: Pcm) -> None:
    told = verdicts(*[hello, silence(0.3)] * 5, silence(5.0))
    assert [verdict for _, verdict in told] == [Verdict.MACHINE, Verdict.RECORDING]


def test_no_voice_is_a_beep(utterances: dict[str, Utterance]) -> None:
    for utterance in utterances.values():
        answering = Answering()
        pcm = soundfile.read(utterance.file)
        for frame in pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
            answering.feed(frame)
        assert not answering._beeped, utterance.id
