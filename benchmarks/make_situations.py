"""Compose what callers do to an agent (benchmarks/situations), and keep what the agent of today makes of it.

    .venv/bin/python benchmarks/make_situations.py [NAME …]

Each is a recorded call without the agent's sound: `caller.flac` is put together from the utterances and from noises,
`events.jsonl` and `call.json` are what `frontdesk calls replay` tells of it. They are the golden event lists of
`tests/flow/test_situations.py`: run this after a change that should change them, and read the difference.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.app import settings
from appliance.app.places import state_dir
from appliance.app.replay import rehearsing, told
from appliance.control.recording import Recording
from appliance.dsp import soundfile
from appliance.terms.units import CAPTURE_RATE, Pcm

FOLDER = Path(__file__).parent / "situations"
UTTERANCES = Path(__file__).parent / "utterances"
Wave = npt.NDArray[np.float64]


def said(*pieces: float | str | Wave, gain: float = 1.0) -> Wave:
    """One after the other: seconds of silence, utterances by id, sounds. Peak of full scale 32768."""
    return np.concatenate([_wave(piece) * gain for piece in pieces])


def together(*sounds: Wave) -> Wave:
    """All at once, as long as the longest."""
    length = max(map(len, sounds))
    mixed = np.zeros(length)
    for sound in sounds:
        mixed[: len(sound)] += sound
    return mixed


def noise(seconds: float, rms: float) -> Wave:
    """A ventilator: noise that falls off by 6 dB an octave."""
    random = np.random.default_rng(1)
    wave = np.cumsum(random.standard_normal(int(seconds * CAPTURE_RATE)))
    wave -= np.convolve(wave, np.ones(801) / 801, "same")
    return _as_loud(wave, rms)


def music(seconds: float, rms: float) -> Wave:
    """Chords of plucked strings, a new one every half second."""
    time = np.arange(int(seconds * CAPTURE_RATE)) / CAPTURE_RATE
    wave = np.zeros(len(time))
    for i in range(int(seconds * 2)):
        since = np.clip(time - i / 2, 0, None)
        for root in (220.0, 277.2, 329.6):
            pitch = root * 2 ** (((0, 5, 7, 3)[i // 4 % 4]) / 12)
            partials = sum(np.sin(2 * np.pi * pitch * k * since) / k for k in range(1, 5))
            wave += np.where(since > 0, partials * np.exp(-4 * since), 0)
    return _as_loud(wave, rms)


def _as_loud(wave: Wave, rms: float) -> Wave:
    return wave * (rms / float(np.sqrt(np.mean(wave**2))))


def _wave(piece: float | str | Wave) -> Wave:
    if isinstance(piece, str):
        return soundfile.read(UTTERANCES / f"{piece}.flac").astype(np.float64)
    if isinstance(piece, int | float):
        return np.zeros(int(piece * CAPTURE_RATE))
    return piece


def over_reply(*pieces: float | str) -> Wave:
    """A question whose reply is long, and what is said or heard once the reply has been heard for a second."""
    return said(0.5, "open", 1.6, *pieces, 0.5)


SITUATIONS: Mapping[str, Callable[[], Wave]] = {
    "a-question": lambda: said(0.5, "parking", 0.5),
    "two-questions": lambda: said(0.5, "wifi", 7.0, "bus", 0.5),
    "one-question-in-two-breaths": lambda: said(0.5, "breath-printer", 0.5),
    "a-long-breath-after-a-preposition": lambda: said(0.5, "breath-network", 0.5),
    "um-and-then-the-question": lambda: said(0.5, "breath-toilets", 0.5),
    "a-first-half-that-could-stand-alone": lambda: said(0.5, "breath-lost", 0.5),
    "two-statements-and-a-question": lambda: said(0.5, "breath-late", 0.5),
    "a-number-in-groups": lambda: said(0.5, "spelled-number", 0.5),
    "a-name-spelled": lambda: said(0.5, "spelled-becker", 0.5),
    "an-announcement-by-a-human": lambda: said(0.5, "human-phone", 0.5),
    "a-question-over-the-reply": lambda: over_reply("barge-toilets"),
    "stop": lambda: over_reply("barge-stop"),
    "hold-on-a-moment": lambda: over_reply("barge-hold-on"),
    "please-repeat-that": lambda: over_reply("barge-repeat"),
    "interrupted-twice": lambda: over_reply("barge-sunday", 1.4, "barge-parking"),
    "mm-hm-over-the-reply": lambda: over_reply("murmur-mm"),
    "okay-over-the-reply": lambda: over_reply("murmur-okay"),
    "two-murmurs-over-the-reply": lambda: over_reply("murmur-right", 0.9, "murmur-yeah"),
    "a-cough-over-the-reply": lambda: over_reply("murmur-cough"),
    "something-falls-over-the-reply": lambda: over_reply("murmur-drop"),
    "typing-over-the-reply": lambda: over_reply("murmur-keyboard"),
    "a-cough-before-the-reply": lambda: said(0.5, "open", 0.12, "murmur-cough", 0.5),
    "going-on-before-the-reply": lambda: said(0.5, "breath-bus", 0.12, "wifi", 0.5),
    "going-on-as-the-reply-begins": lambda: said(0.5, "manager", 0.36, "manager-office", 0.5),
    "nobody-speaks": lambda: said(38.0),
    "a-ventilator": lambda: together(said(0.5, "coffee", 6.0, "toilets", 0.5), noise(14.0, 400.0)),
    "nothing-but-loud-noise": lambda: noise(10.0, 4000.0),
    "music-on-the-line": lambda: music(10.0, 2500.0),
    "clipping": lambda: said(0.5, "price", 0.5, gain=30.0),
    "a-whisper": lambda: said(0.5, "address", 0.5, gain=0.03),
    "two-people-at-once": lambda: together(said(0.5, "parcel", 0.5), said(0.7, "dogs", 0.5, gain=0.7)),
    "a-caller-who-never-stops": lambda: said(0.5, *("breath-morning", "breath-well", "spelled-back") * 6, 0.5)[
        : 66 * CAPTURE_RATE
    ],
}


def pcm(wave: Wave) -> Pcm:
    return np.clip(wave, -32768, 32767).astype(np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *SITUATIONS], metavar="NAME")
    wanted = parser.parse_args().names or list(SITUATIONS)
    with rehearsing(settings.load(None, {}), state_dir(os.environ)) as rehearsal:
        for name in wanted:
            caller = pcm(SITUATIONS[name]())
            after = rehearsal.replay(caller)
            print(f"\n{name}")
            for event in after.events:
                print(told(event))
            Recording(caller=caller, events=after.events, about=after.about).save(FOLDER / name)


if __name__ == "__main__":
    main()
