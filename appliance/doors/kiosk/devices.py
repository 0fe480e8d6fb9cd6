"""Which microphone and which loudspeaker: PortAudio's list, and the owner's word for one of it."""

from __future__ import annotations

import ctypes
import ctypes.util
import fnmatch
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from appliance.terms.errors import DeviceError

Kind = Literal["microphone", "loudspeaker"]
RATE = 48_000
"""What nearly every device has; others' sound is converted."""
RATES = (RATE, 44_100, 32_000, 24_000, 16_000, 8_000)
WIDTHS = (1, 2)
"""Channels; a device that has none of these is opened with all of its own."""
BLOCKS_PER_S = 100
OTHERWISE = ((-9997,), (-9998,))
"""PortAudio's invalid sample rate and invalid channel count: another may do."""
_QUIET = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)(
    lambda *_: None
)
"""ALSA writes to the terminal of every plug-in that it tries; kept here, or it would be called after its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundDevice:
    """One of PortAudio's, as far as it can be a `kind`."""

    index: int
    name: str
    channels: int
    usual: bool
    """The system's own choice."""


def portaudio() -> Any:
    """The library, loaded when the kiosk needs it. Raises DeviceError where it is not there."""
    try:
        import sounddevice
    except OSError as error:  # its C library
        raise DeviceError(f"sound: {error}", mend="sudo apt-get install libportaudio2") from error
    except Exception as error:  # PortAudio's own, which cannot be named before it is there
        raise DeviceError(
            f"sound: {error}", mend="Does the sound system of this computer work? Try `aplay -l`."
        ) from error
    alsa = ctypes.util.find_library("asound")
    if alsa:
        ctypes.CDLL(alsa).snd_lib_error_set_handler(_QUIET)
    return sounddevice


def devices(sound: Any, kind: Kind) -> list[SoundDevice]:
    """All of a kind, as PortAudio knew them when it started. Raises DeviceError."""
    try:
        return _devices(sound, kind)
    except sound.PortAudioError as error:
        raise DeviceError(f"sound devices cannot be listed: {error}") from error


def start_again(sound: Any) -> None:
    """Have PortAudio look which devices there are, once all streams are closed. Raises DeviceError."""
    with suppress(sound.PortAudioError):  # it had not started
        sound._terminate()
    try:
        sound._initialize()
    except sound.PortAudioError as error:
        raise DeviceError(f"sound: {error}") from error


def _devices(sound: Any, kind: Kind) -> list[SoundDevice]:
    key, side = ("max_input_channels", 0) if kind == "microphone" else ("max_output_channels", 1)
    usual = sound.default.device[side]
    return [
        SoundDevice(index=number, name=str(one["name"]), channels=int(one[key]), usual=number == usual)
        for number, one in enumerate(sound.query_devices())
        if one[key] > 0
    ]


def choose(known: Iterable[SoundDevice], wanted: str) -> SoundDevice | None:
    """The one that is called so, else the first whose name has `wanted` in it or fits its pattern; of nothing wanted,
    the system's choice."""
    known = list(known)
    if not wanted:
        return next((one for one in known if one.usual), known[0] if known else None)
    name = wanted.casefold()
    exact = [one for one in known if one.name.casefold() == name]
    within = [one for one in known if name in one.name.casefold()]
    fitting = [one for one in known if fnmatch.fnmatchcase(one.name.casefold(), name)]
    return next(iter(exact + within + fitting), None)


def open_stream(sound: Any, kind: Kind, device: SoundDevice, **how: Any) -> Any:
    """A stream of the device at the best of its rates, mono where it can. Raises DeviceError.

    `how`: what sounddevice wants to know besides.
    """
    make = sound.InputStream if kind == "microphone" else sound.OutputStream
    problem: Exception | None = None
    for rate in RATES:
        for channels in dict.fromkeys((*(width for width in WIDTHS if width <= device.channels), device.channels)):
            block = rate // BLOCKS_PER_S
            try:
                return make(
                    device=device.index, samplerate=rate, channels=channels, blocksize=block, dtype="int16", **how
                )
            except sound.PortAudioError as error:
                problem = error
                if error.args[1:2] not in OTHERWISE:
                    raise _unusable(kind, device, error) from error
    raise _unusable(kind, device, problem)


def _unusable(kind: Kind, device: SoundDevice, error: Exception | None) -> DeviceError:
    mend = f"Is it plugged in, and does no other program use it? `frontdesk check` lists every {kind}."
    return DeviceError(f"{kind} {device.name!r} cannot be opened: {error}", mend=mend)
