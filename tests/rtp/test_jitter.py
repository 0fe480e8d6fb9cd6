"""Packets in any order, pieces in theirs, and a clock that is a number."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.rtp.jitter import (
    FRAME_S,
    LEAST_WAIT_S,
    MOST_HELD,
    MOST_STALLS,
    MOST_WAIT_S,
    REMEMBERED,
    STALLED_S,
    JitterBuffer,
    Lost,
    Packet,
    Piece,
    Silence,
    Stall,
)


def payload(number: int) -> bytes:
    return number.to_bytes(4, "big")


@dataclass
class Wire:
    """Packets by their number, each 20 ms of speech; `first` is the first one's sequence number."""

    first: int = 0
    now: float = 50.0
    buffer: JitterBuffer = field(default_factory=JitterBuffer)
    pieces: list[Piece] = field(default_factory=list)

    def arrives(self, number: int, at: float | None = None) -> Wire:
        """A packet, by default in its time."""
        self.passes_until(50.0 + number * FRAME_S if at is None else at)
        self.buffer.put((self.first + number) % 2**16, payload(number), self.now)
        self.pieces += self.buffer.take(self.now)
        return self

    def passes_until(self, moment: float) -> Wire:
        """As a door does: it takes when something is due."""
        while (due := self.buffer.due()) is not None and due <= moment:
            self.now = max(self.now, due)
            self.pieces += self.buffer.take(self.now)
        self.now = max(self.now, moment)
        return self

    def heard(self) -> list[int | str]:
        return [
            int.from_bytes(p.payload, "big") if isinstance(p, Packet) else type(p).__name__.lower() for p in self.pieces
        ]


@pytest.mark.parametrize("first", [0, 1000, 2**16 - 3])
def test_on_a_clean_line_every_packet_is_due_as_it_arrives(first: int) -> None:
    wire = Wire(first)
    for number in range(10):
        wire.arrives(number)
        assert wire.heard() == list(range(number + 1))
    assert wire.buffer.counts.received == 10


def test_what_is_out_of_order_is_put_in_order() -> None:
    wire = Wire().arrives(0).arrives(2, at=50.035).arrives(1, at=50.044).arrives(3)
    assert wire.heard() == [0, 1, 2, 3]
    assert wire.buffer.counts.lost == 0


def test_what_is_missing_is_waited_for_and_then_told_with_what_follows() -> None:
    wire = Wire().arrives(0).arrives(2)
    assert wire.heard() == [0]
    wire.passes_until(wire.now + LEAST_WAIT_S)
    assert wire.pieces[1:] == [Lost(payload(2)), Packet(payload(2))]
    wire.arrives(1, at=wire.now)
    assert wire.heard() == [0, "lost", 2]
    assert wire.buffer.counts.late == 1


def test_two_lost_in_a_row() -> None:
    wire = Wire().arrives(0).arrives(3, at=50.055).passes_until(50.2)
    assert wire.pieces[1:4] == [Lost(None), Lost(payload(3)), Packet(payload(3))]


def test_a_packet_that_comes_twice_is_heard_once() -> None:
    wire = Wire().arrives(0).arrives(2).arrives(2, at=50.041).arrives(1, at=50.042)
    assert wire.heard() == [0, 1, 2]
    assert wire.buffer.counts.repeated == 1


def test_a_stall_is_told_and_what_comes_after_it_is_heard_at_once() -> None:
    wire = Wire().arrives(0).passes_until(50.0 + STALLED_S + 2.5 * FRAME_S)
    assert wire.heard() == [0, "stall", "stall", "stall"]
    for number in (1, 2, 3):
        wire.arrives(number, at=50.2)
    assert wire.heard()[-3:] == [1, 2, 3]
    assert wire.buffer.counts.lost == 0


def test_what_turns_out_to_be_lost_is_not_told_twice() -> None:
    wire = Wire().arrives(0).arrives(6)
    wire.passes_until(50.5)
    assert wire.heard()[:6] == [0, "stall", "stall", "stall", "lost", "lost"]
    assert [piece for piece in wire.pieces if isinstance(piece, Lost)][-1].following == payload(6)
    assert wire.heard()[6] == 6
    assert wire.buffer.counts.lost == 5


def test_silence_is_not_told_for_ever() -> None:
    wire = Wire().arrives(0).passes_until(60.0)
    assert wire.buffer.counts.stalls == MOST_STALLS
    assert wire.buffer.due() is None
    assert wire.arrives(1, at=61.0).heard()[-1] == 1


def test_a_sender_that_pauses_and_goes_on_with_the_next_number_has_lost_nothing() -> None:
    wire = Wire().arrives(0).arrives(1, at=50.4).arrives(2, at=50.8)
    assert [piece for piece in wire.heard() if piece != "stall"] == [0, 1, 2]
    assert wire.buffer.counts.lost == 0


def test_a_sender_who_said_that_it_falls_silent_is_not_waited_for() -> None:
    wire = Wire().arrives(0)
    wire.buffer.put(1, b"dtx", 50.02, silent=True)
    wire.now = 50.02
    wire.pieces += wire.buffer.take(50.02)
    wire.passes_until(50.02 + 5.5 * FRAME_S)
    assert wire.pieces[2:] == [Silence()] * 5
    assert wire.buffer.counts.stalls == wire.buffer.counts.lost == 0
    assert wire.arrives(2, at=50.14).heard()[-1] == 2


def test_a_sender_that_begins_anew_is_heard() -> None:
    wire = Wire().arrives(0)
    wire.buffer.put(30_000, b"new", 50.02)
    assert wire.buffer.take(50.02) == [Packet(b"new")]
    assert wire.buffer.counts.restarts == 1


def test_a_flood_of_what_cannot_be_played_yet_is_bounded() -> None:
    wire = Wire().arrives(0)
    for number in range(2, 400):
        wire.buffer.put(number, payload(number), 50.0)
    assert len(wire.buffer.take(50.0)) <= MOST_HELD
    assert wire.buffer.counts.dropped >= 300


def test_the_wait_follows_how_far_packets_are_overtaken() -> None:
    def wait_s(late_s: float, every: int = 10) -> float:
        wire = Wire()
        for at, number in sorted((n * FRAME_S + (late_s if n % every == 0 else 0.0), n) for n in range(1, 100)):
            wire.arrives(number, at=50.0 + at)
        return wire.buffer.wait_s

    assert wait_s(0.0) == LEAST_WAIT_S
    assert wait_s(0.15, every=1) == LEAST_WAIT_S, "all late is not out of order"
    assert 0.06 <= wait_s(0.08) <= 0.1
    assert wait_s(1.0) == MOST_WAIT_S


def test_a_line_that_keeps_the_order_again_is_waited_for_less() -> None:
    wire = Wire()
    for at, number in sorted((n * FRAME_S + (0.07 if n == 10 else 0.0), n) for n in range(REMEMBERED + 20)):
        wire.arrives(number, at=50.0 + at)
        if number == 20:
            assert wire.buffer.wait_s > LEAST_WAIT_S
    assert wire.buffer.wait_s == LEAST_WAIT_S


@given(
    st.integers(0, 2**16 - 1),
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.15), st.booleans()), min_size=1, max_size=150),
)
def test_whatever_the_line_does_speech_goes_forward_and_nothing_that_came_in_time_is_lost(
    first: int, fates: list[tuple[bool, float, bool]]
) -> None:
    """Each packet may be lost, late, or come twice."""
    arrivals = [(number * FRAME_S + delay, number) for number, (lost, delay, _) in enumerate(fates) if not lost]
    arrivals += [
        (number * FRAME_S + delay + 0.01, number) for number, (lost, delay, twice) in enumerate(fates) if twice
    ]
    wire = Wire(first)
    for at, number in sorted(arrivals):
        wire.arrives(number, at=50.0 + at)
    wire.passes_until(60.0)
    numbers = [piece for piece in wire.heard() if isinstance(piece, int)]
    assert numbers == sorted(set(numbers)), "never back in time, never twice"
    counts = wire.buffer.counts
    assert len(numbers) + counts.late + counts.repeated == counts.received
    assert wire.buffer.due() is None, "and it comes to rest"
    assert Stall() in wire.pieces or not numbers
