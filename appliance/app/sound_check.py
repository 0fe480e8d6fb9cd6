"""The kiosk's devices as `frontdesk check` tries them: what there is, and whether one hears the other."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from appliance.doors.kiosk.devices import Kind, SoundDevice, choose, devices, portaudio
from appliance.doors.kiosk.door import chime
from appliance.doors.kiosk.streams import Loudspeaker, Microphone
from appliance.dsp.resample import Resampler
from appliance.terms.config import KioskConfig
from appliance.terms.errors import DeviceError, OwnerError
from appliance.terms.units import CAPTURE_RATE, Pcm, dbfs

from .finding import Line
from .kiosk import check_kiosk

QUIET_S = 0.6
RINGS_S = 1.2
MOST_DELAY_S = 0.6
LIKE = 0.12
"""How like the tone what was heard must be; noise alone is 0.03 to 0.06."""


def check_sound(config: KioskConfig) -> list[Line]:
    """Lines for the kiosk, where it is on. The test tone is soft, and a fifth of a second long."""
    if not config.enabled:
        return []
    try:
        check_kiosk(config)
        sound = portaudio()
    except OwnerError as error:
        return [Line(what="kiosk", good=False, found=str(error), mend=error.mend)]
    try:
        chosen = {kind: _chosen(sound, kind, wanted) for kind, wanted in _wanted(config).items()}
    except DeviceError as error:
        return [Line(what="kiosk", good=False, found=str(error), mend=error.mend)]
    lines = [line for _, found in chosen.values() for line in found]
    microphone, loudspeaker = (chosen[kind][0] for kind in ("microphone", "loudspeaker"))
    if microphone is None or loudspeaker is None:
        return lines
    try:
        return [*lines, *_try(sound, microphone, loudspeaker)]
    except DeviceError as error:
        return [*lines, Line(what="kiosk sound", good=False, found=str(error), mend=error.mend)]


def _wanted(config: KioskConfig) -> dict[Kind, str]:
    return {"microphone": config.microphone, "loudspeaker": config.loudspeaker}


def _chosen(sound: Any, kind: Kind, wanted: str) -> tuple[SoundDevice | None, list[Line]]:
    known = devices(sound, kind)
    device = choose(known, wanted)
    names = ", ".join(repr(one.name) for one in known) or "none"
    if device is None:
        mend = f"Plug it in, or set kiosk.{kind} to one of those." if known else "Plug one in."
        return None, [Line(what=kind, good=False, found=f"{wanted!r} is not there; there is: {names}", mend=mend)]
    return device, [Line(what=kind, good=True, found=f"{device.name!r}, of: {names}")]


def _try(sound: Any, microphone: SoundDevice, loudspeaker: SoundDevice) -> list[Line]:
    """Play a tone and listen to it. Raises DeviceError."""
    heard: list[Pcm] = []
    ear = Microphone(sound, microphone, heard.append)
    try:
        mouth = Loudspeaker(sound, loudspeaker, lambda block: None, ring_s=1.0)
        try:
            ear.start()
            mouth.start()
            time.sleep(QUIET_S)
            before = sum(len(block) for block in heard)
            tone = chime(mouth.rate)
            mouth.ring.put(tone)
            time.sleep(RINGS_S)
        except sound.PortAudioError as error:
            raise DeviceError(f"sound does not start: {error}") from error
        finally:
            mouth.close()
    finally:
        ear.close()
    pcm = np.concatenate([np.zeros(0, np.int16), *heard])
    return _judge(pcm, before, ear.rate, Resampler(mouth.rate, ear.rate).feed(tone))


def _judge(pcm: Pcm, before: int, rate: int, tone: Pcm) -> list[Line]:
    """Of (n,) int16 at `rate` Hz in which the tone was played after `before` samples."""
    if not pcm.any():
        mend = "Is it muted, by a switch of its own or in the system's mixer?"
        return [Line(what="kiosk sound", good=False, found="the microphone delivers nothing but zeros", mend=mend)]
    likeness, at = alike(pcm[before:], tone, rate)
    level = f"the room is at {dbfs(pcm[:before]):.0f} dBFS"
    if likeness < LIKE:
        found = f"the microphone does not hear the loudspeaker ({level})"
        mend = "Is its volume at zero? With headphones this is as it should be."
        return [Line(what="kiosk sound", good=False, found=found, mend=mend)]
    return [Line(what="kiosk sound", good=True, found=f"the tone was heard after {at * 1000:.0f} ms; {level}")]


def alike(heard: Pcm, tone: Pcm, rate: int) -> tuple[float, float]:
    """How like the tone what was heard is at best, 0 to 1, and after how many seconds."""
    heard = heard[: round((MOST_DELAY_S * rate) + len(tone))].astype(np.float64)
    wanted = tone.astype(np.float64)
    if len(heard) < len(wanted):
        return 0.0, 0.0
    size = len(heard) + len(wanted)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    likeness = np.abs(np.fft.irfft(spectrum, size))[: len(heard) - len(wanted) + 1]
    sums = np.concatenate([[0.0], np.cumsum(heard**2)])
    power = np.sqrt((sums[len(wanted) :] - sums[: -len(wanted)]) * np.sum(wanted**2)) + CAPTURE_RATE
    best = int(np.argmax(likeness / power))
    return float((likeness / power)[best]), best / rate
