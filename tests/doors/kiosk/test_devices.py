"""Which device the owner means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from appliance.doors.kiosk.devices import SoundDevice, choose, devices, open_stream
from appliance.terms.errors import DeviceError

KNOWN = [
    SoundDevice(index=0, name="HDA Intel PCH: ALC257 Analog (hw:0,0)", channels=2, usual=False),
    SoundDevice(index=1, name="Jabra SPEAK 510 USB: Audio (hw:1,0)", channels=1, usual=False),
    SoundDevice(index=2, name="default", channels=32, usual=True),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("", 2),
        ("default", 2),
        ("jabra", 1),
        ("JABRA*usb*", 1),
        ("hw:0,0", 0),
        ("*(hw:1,?)", 1),
        ("Analog", 0),
    ],
)
def test_a_name_a_part_of_it_or_a_pattern(wanted: str, index: int) -> None:
    found = choose(KNOWN, wanted)
    assert found is not None
    assert found.index == index


def test_what_is_not_there_is_not_replaced_by_another() -> None:
    assert choose(KNOWN, "Anker") is None
    assert choose([], "") is None


def test_only_devices_of_the_kind_are_known() -> None:
    listed = [
        {"name": "a", "max_input_channels": 1, "max_output_channels": 0},
        {"name": "b", "max_input_channels": 0, "max_output_channels": 2},
    ]
    sound = SimpleNamespace(query_devices=lambda: listed, default=SimpleNamespace(device=(0, 1)))
    assert [one.name for one in devices(sound, "microphone")] == ["a"]
    assert [(one.name, one.usual) for one in devices(sound, "loudspeaker")] == [("b", True)]


class Refused(Exception):
    """PortAudio's error."""


class Card:
    """A device that has some rates and some widths."""

    PortAudioError = Refused

    def __init__(self, rates: tuple[int, ...], widths: tuple[int, ...], code: int = -9997) -> None:
        self._rates, self._widths, self._code = rates, widths, code
        self.tried: list[tuple[int, int]] = []

    def InputStream(self, *, samplerate: int, channels: int, **how: Any) -> tuple[int, int]:
        self.tried.append((samplerate, channels))
        if samplerate not in self._rates or channels not in self._widths:
            raise Refused("no", self._code)
        return samplerate, channels


def device(channels: int) -> SoundDevice:
    return SoundDevice(index=0, name="card", channels=channels, usual=True)


@pytest.mark.parametrize(
    ("rates", "widths", "opened"),
    [
        ((48_000, 44_100), (1, 2), (48_000, 1)),
        ((44_100,), (2,), (44_100, 2)),
        ((16_000,), (8,), (16_000, 8)),
    ],
)
def test_the_best_that_a_device_has(rates: tuple[int, ...], widths: tuple[int, ...], opened: tuple[int, int]) -> None:
    assert open_stream(Card(rates, widths), "microphone", device(8)) == opened


def test_a_device_in_use_is_not_tried_at_every_rate() -> None:
    card = Card((), (), code=-9985)
    with pytest.raises(DeviceError, match="microphone 'card' cannot be opened") as raised:
        open_stream(card, "microphone", device(2))
    assert len(card.tried) == 1
    assert "does no other program use it" in raised.value.mend
