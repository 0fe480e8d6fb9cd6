"""Commands from afar: who is obeyed, when, and what everybody else is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.telemetry.commands import MAX_BYTES, Commands, text
from appliance.terms.errors import BadInput, EngineError


class Device:
    def __init__(self) -> None:
        self.done: list[Mapping[str, Any]] = []

    async def call(self, arguments: Mapping[str, Any]) -> None:
        if text(arguments, "to") == "nobody":
            raise EngineError("nobody did not answer")
        self.done.append(arguments)

    async def drain(self, arguments: Mapping[str, Any]) -> None:
        self.done.append(arguments)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def commands(device: Device) -> Commands:
    return Commands({"call": device.call, "drain": device.drain}, ["call"])


def sent(id_: str, **arguments: Any) -> bytes:
    return json.dumps({"id": id_, "args": arguments}).encode()


async def test_what_is_allowed_is_done_once_and_answered(device: Device, commands: Commands) -> None:
    for _ in range(3):
        assert await commands.obey("call", sent("a", to="100")) == {"id": "a", "ok": True, "error": None}
    assert device.done == [{"to": "100"}]
    assert (await commands.obey("call", sent("b", to="100")))["ok"]
    assert len(device.done) == 2


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("drain", sent("a"), "does not allow"),
        ("explode", sent("a"), "no command"),
        ("call", sent("a"), "args.to"),
        ("call", sent("a", to=5), "args.to"),
        ("call", sent("a", to="nobody"), "did not answer"),
        ("call", b"", "no JSON"),
        ("call", b"\xff\xfe", "no JSON"),
        ("call", b"[]", "object"),
        ("call", b'{"id": "a", "args": []}', "object"),
        ("call", b'{"args": {}}', "id"),
        ("call", sent("a" * 100), "id"),
        ("call", b"x" * (MAX_BYTES + 1), "larger"),
    ],
)
async def test_everything_else_is_answered_and_never_done(
    device: Device, commands: Commands, name: str, payload: bytes, says: str
) -> None:
    answer = await commands.obey(name, payload)
    assert not answer["ok"]
    assert says in answer["error"]
    assert device.done == []


@given(st.text(max_size=50), st.binary(max_size=200))
async def test_nothing_that_comes_is_a_surprise(name: str, payload: bytes) -> None:
    answer = await Commands({}, []).obey(name, payload)
    assert set(answer) == {"id", "ok", "error"}
    assert not answer["ok"]


def test_an_argument_is_text() -> None:
    assert text({"to": "100"}, "to") == "100"
    with pytest.raises(BadInput):
        text({"to": " "}, "to")
