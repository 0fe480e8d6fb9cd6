"""Messages as bytes and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.workers.wire import HEADER, MAX_DATA, MAX_META, Decoder, Kind, Message, WireError, encode

META = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=20) | st.none(), max_size=4)
MESSAGE = st.builds(
    Message, kind=st.sampled_from(Kind), request=st.integers(0, 2**32 - 1), meta=META, data=st.binary(max_size=200)
)


@given(st.lists(MESSAGE, max_size=8), st.integers(1, 64))
def test_what_is_sent_arrives_however_the_bytes_are_cut(messages: list[Message], size: int) -> None:
    stream = b"".join(encode(message) for message in messages)
    decoder = Decoder()
    got = [m for i in range(0, len(stream), size) for m in decoder.feed(stream[i : i + size])]
    assert got == messages


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(1, Kind.PART, MAX_META + 1, 0),
        HEADER.pack(1, Kind.PART, 0, MAX_DATA + 1),
        HEADER.pack(1, 99, 0, 0),
        HEADER.pack(1, Kind.PART, 3, 0) + b"{]}",
        HEADER.pack(1, Kind.PART, 2, 0) + b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Decoder().feed(data)


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(WireError, match="too large"):
        encode(Message(kind=Kind.PART, data=bytes(MAX_DATA + 1)))


@given(st.binary(max_size=300))
def test_noise_never_breaks_the_decoder_otherwise(noise: bytes) -> None:
    with contextlib.suppress(WireError):
        Decoder().feed(noise)
