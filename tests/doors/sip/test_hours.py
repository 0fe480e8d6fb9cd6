from __future__ import annotations

from datetime import datetime

import pytest

from appliance.doors.sip.hours import Hours

MONDAY = 24  # August 2026


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-08-{MONDAY + day:02} {clock}")


@pytest.mark.parametrize(
    ("text", "day", "clock", "open_then"),
    [
        ("", 6, "03:00", True),
        ("Mo-Fr 08:00-18:00", 0, "08:00", True),
        ("Mo-Fr 08:00-18:00", 0, "07:59", False),
        ("Mo-Fr 08:00-18:00", 4, "18:00", False),
        ("Mo-Fr 08:00-18:00", 5, "12:00", False),
        ("Mo-Fr 08:00-18:00, Sa 9:00-12:00", 5, "11:59", True),
        ("Fr-Mo 22:00-02:00", 0, "01:00", True),
        ("Fr-Mo 22:00-02:00", 1, "01:30", True),
        ("Fr-Mo 22:00-02:00", 2, "01:30", False),
        ("09:00-24:00", 2, "23:59", True),
    ],
)
def test_when_it_is_open(text: str, day: int, clock: str, open_then: bool) -> None:
    assert Hours(text).open_at(at(day, clock)) is open_then


@pytest.mark.parametrize("text", ["always", "Mo 25:00-26:00", "Xx 08:00-09:00", "Mo-Fr 8-18", "Mo 08:61-09:00"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text[:2]):
        Hours(text)
