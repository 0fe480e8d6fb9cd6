"""What we use of baresip past its Python binding: an upgrade that moves it fails here, not in a call."""

from __future__ import annotations

import subprocess
import sys

import pytest

from appliance.bench.switchboard import TRUSTING, phone
from appliance.bench.telephone import Refused
from appliance.terms.errors import NotReady

from .conftest import echo, telephone

CONTRACT = """
from appliance.doors.sip.native import SYMBOLS, Native

native = Native()
assert native.source(12345, "no such call") == ""
assert not native.refuse(12345, "no such call", 603, "Decline", {})
try:
    native.refuse(1, "x", 603, "Decline", {"X": "two\\nlines"})
except ValueError:
    pass
else:
    raise AssertionError("a header of two lines was sent")
print(len(SYMBOLS))
"""


def test_every_symbol_is_there() -> None:
    found = subprocess.run([sys.executable, "-c", CONTRACT], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


async def test_a_refusal_carries_its_status_reason_and_headers() -> None:
    async with phone(TRUSTING, echo) as desk, telephone() as caller:
        desk.door._admit = not_ready  # type: ignore[assignment]
        with pytest.raises(Refused, match="503 Service Unavailable"):
            await caller.call(desk.uri)
        assert caller.said.headers["retry-after"] == "10"


def not_ready() -> None:
    raise NotReady("The device is still warming up.")
