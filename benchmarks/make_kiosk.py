"""Makes what `frontdesk bench kiosk` plays in its room, from the root of the checkout:

    python -m benchmarks.make_kiosk KOKORO.onnx VOICES DEBIAN

`kiosk/wake/*.ogg`: a wake word, said forty times by four voices, half of the times with a question after it.
`kiosk/lobby.ogg`: a minute of a lobby: six people who speak at once, in five languages, steps, doors and a keyboard, in
a hall; recordings all of them. What KOKORO.onnx and VOICES are is told in `make_utterances.py`; DEBIAN is a folder into
which `apt-get download` and `dpkg-deb -x` have unpacked Debian 12's asterisk-core-sounds-{en,es,fr,it,ru}-g722,
pocketsphinx-testdata, minetest-data and bucklespring-data.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np

from appliance.dsp import soundfile
from appliance.terms.errors import BadInput
from appliance.terms.units import Pcm

from .make_questions import write
from .make_utterances import EDGE_S, PEAK_DB, RATE, Sound, Voices, room, trimmed

KIOSK = Path(__file__).parent / "kiosk"
VOICES = ("af_sarah", "am_adam", "bf_alice", "bm_daniel")
CALLS = (
    "Hey Jarvis.",
    "Hey Jarvis!",
    "Hey, Jarvis?",
    "Hey Jarvis, please.",
    "Um, hey Jarvis.",
    "Hey Jarvis, when are you open?",
    "Hey Jarvis, where are the toilets?",
    "Hey Jarvis, is there a lift?",
    "Hey Jarvis, I have an appointment.",
    "Hey Jarvis, what is the wifi password?",
)
LOBBY_S = 60
PEOPLE = ("en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU", "librivox")
REVERB_S = 0.7
THINGS = ("*footstep*.ogg", "doors_door_*.ogg")
GAP_S = 0.4
EACH_DB = -26.0
THING_DB = -32.0


def wake(voices: Voices) -> None:
    folder = KIOSK / "wake"
    folder.mkdir(parents=True, exist_ok=True)
    for voice in VOICES:
        for number, words in enumerate(CALLS):
            sound = trimmed(voices.say(words, voice))
            sound = sound / np.abs(sound).max() * 10 ** (PEAK_DB / 20)
            write(folder / f"{voice}-{number}.ogg", np.concatenate([room(EDGE_S), sound, room(EDGE_S)]))


def clips(paths: list[Path]) -> Iterator[Sound]:
    for path in cycle(paths):
        try:
            pcm = soundfile.read(path, rate=RATE)
        except BadInput:  # an empty one: Asterisk has some
            continue
        if len(pcm) > RATE // 2:
            yield wave(pcm)


def wave(pcm: Pcm) -> Sound:
    return np.asarray(pcm / 32768, np.float32)


def at(sound: Sound, db: float) -> Sound:
    return np.asarray(sound / np.sqrt(np.mean(sound**2)) * 10 ** (db / 20), np.float32)


def person(paths: list[Path], random: np.random.Generator) -> Sound:
    """One who speaks all the time, with short pauses."""
    paths = [paths[i] for i in random.permutation(len(paths))]
    line, said = [np.zeros(0, np.float32)], 0
    for sound in clips(paths):
        line += [at(sound, EACH_DB), np.zeros(int(random.uniform(0.5, 1.5) * GAP_S * RATE), np.float32)]
        said += len(line[-1]) + len(line[-2])
        if said >= LOBBY_S * RATE:
            return np.concatenate(line)[: LOBBY_S * RATE]
    raise AssertionError


def lobby(debian: Path) -> Sound:
    random = np.random.default_rng(11)
    mixed = np.zeros(LOBBY_S * RATE, np.float32)
    for name in PEOPLE:
        paths = [p for folder in debian.rglob(name) for ext in ("*.g722", "*.wav") for p in sorted(folder.rglob(ext))]
        mixed += person(paths, random) * random.uniform(0.5, 1.0)
    things = [path for pattern in THINGS for path in sorted(debian.rglob(pattern))]
    for _ in range(LOBBY_S):
        sound = wave(soundfile.read(things[random.integers(len(things))], rate=RATE))
        start = int(random.uniform(0, len(mixed) - len(sound)))
        mixed[start : start + len(sound)] += at(sound, THING_DB)
    keys = sorted((debian / "usr/share/buckle/wav").glob("*.wav"))
    for moment in np.cumsum(random.exponential(0.25, 4 * LOBBY_S)):
        sound = wave(soundfile.read(keys[random.integers(len(keys))], rate=RATE))
        start = int(moment * RATE)
        if start + len(sound) < len(mixed):
            mixed[start : start + len(sound)] += at(sound, THING_DB - 8)
    t = np.arange(int(REVERB_S * RATE)) / RATE
    hall = random.standard_normal(len(t)) * 10 ** (-3 * t / REVERB_S)
    hall[0] += 0.3 * np.linalg.norm(hall)
    size = len(mixed)  # a circle: it is played again and again
    wet = np.fft.irfft(np.fft.rfft(mixed) * np.fft.rfft(hall, size), size)
    return np.asarray(wet / np.abs(wet).max() * 0.7, np.float32)


def main() -> None:
    kokoro, folder, debian = (Path(argument) for argument in sys.argv[1:])
    KIOSK.mkdir(exist_ok=True)
    write(KIOSK / "lobby.ogg", lobby(debian))
    wake(Voices(kokoro, folder))


if __name__ == "__main__":
    main()
