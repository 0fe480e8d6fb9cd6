from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.doors.sip.address import Address, parse, target
from appliance.terms.errors import BadInput


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('"Ann" <sip:100@pbx.example>;tag=7', "100@pbx.example"),
        ("sip:+4930123@trunk.example;user=phone", "+4930123"),
        ("<sips:a.b%20c@[2001:db8::1]:5061;transport=tls>", "a.b%20c@[2001:db8::1]:5061"),
        ("sip:10.0.0.1:5070", "10.0.0.1:5070"),
    ],
)
def test_what_peers_send_is_read(text: str, name: str) -> None:
    assert parse(text).name == name


@pytest.mark.parametrize("text", ["", "sip:", "tel:+49", "sip:a b@c", "sip:a@b<script>", "sip:" + "a" * 400, "\0"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text)


@given(st.text(max_size=80))
def test_nothing_but_an_address_comes_out(text: str) -> None:
    try:
        address = target(text, "pbx.example")
    except BadInput:
        return
    assert parse(str(address)) == address
    assert not set(str(address)) & set(' \r\n<>"?')


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("100", "sip:100@pbx.example"),
        ("+49 (30) 123-45", "sip:+493012345@pbx.example"),
        ("sip:100@10.0.0.1:5070;transport=tcp", "sip:100@10.0.0.1:5070;transport=tcp"),
        ("sip:100@10.0.0.1?Replaces=abc", "sip:100@10.0.0.1"),
        ("ann@house.example", "sip:ann@house.example"),
    ],
)
def test_whom_to_call(text: str, called: str) -> None:
    assert str(target(text, "pbx.example")) == called


def test_a_number_needs_an_account() -> None:
    with pytest.raises(BadInput, match="account"):
        target("100", "")


@pytest.mark.parametrize(
    ("patterns", "matches"),
    [
        (["100"], True),
        (["1*"], True),
        (["100@pbx.example"], True),
        (["*@pbx.example"], True),
        (["sip:100@PBX.example"], True),
        (["200", "*@other.example"], False),
        ([], False),
    ],
)
def test_patterns(patterns: list[str], matches: bool) -> None:
    assert Address("100", "pbx.example:5070").matches(patterns) is matches


def test_a_number_alone_is_allowed_only_at_our_own_domains() -> None:
    patterns = ["+49*"]
    assert Address("+4930", "pbx.example").matches(patterns, ["pbx.example"])
    assert not Address("+4930", "evil.example").matches(patterns, ["pbx.example"])
    assert Address("+4930", "evil.example").matches(patterns)
