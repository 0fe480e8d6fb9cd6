"""The ring between the event loop and PortAudio's thread."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.doors.kiosk.ring import Ring
from appliance.terms.units import Pcm


def take(ring: Ring, samples: int) -> tuple[Pcm, int]:
    out = np.full(samples, 7, np.int16)
    count = ring.take(out)
    return out, count


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=40))
def test_what_is_put_comes_out_once_and_in_order(steps: list[tuple[int, int]]) -> None:
    ring, waiting, number = Ring(64), list[int](), 1
    dropped = 0
    for put, taken in steps:
        pcm = np.arange(number, number + put, dtype=np.int16)
        number += put
        ring.put(pcm)
        room = 64 - len(waiting)
        waiting += pcm[:room].tolist()
        dropped += max(0, put - room)
        out, count = take(ring, taken)
        expected, waiting = waiting[:taken], waiting[taken:]
        assert out.tolist() == expected + [0] * (taken - len(expected))
        assert count == len(expected)
        assert ring.waiting == len(waiting)
    assert ring.dropped == dropped


def test_what_was_cleared_never_comes_out() -> None:
    ring = Ring(100)
    ring.put(np.ones(60, np.int16))
    assert take(ring, 20)[1] == 20
    ring.clear()
    assert ring.waiting == 0
    ring.put(np.full(10, 5, np.int16))
    out, count = take(ring, 20)
    assert out.tolist() == [5] * 10 + [0] * 10
    assert (count, ring.taken) == (10, 30)


def test_two_threads_lose_and_mix_up_nothing() -> None:
    ring, got = Ring(4800), list[Pcm]()
    done = threading.Event()

    def consume() -> None:
        while not (done.is_set() and ring.waiting == 0):
            out, count = take(ring, 480)
            got.append(out[:count].copy())

    consumer = threading.Thread(target=consume)
    consumer.start()
    number = 0
    while number < 200_000:
        room = 4800 - 480 - ring.waiting
        piece = np.arange(number, number + max(0, min(961, room))) % 30_000
        ring.put(piece.astype(np.int16))
        number += len(piece)
    done.set()
    consumer.join(10)
    whole = np.concatenate(got)
    assert ring.dropped == 0
    assert np.array_equal(whole, (np.arange(number) % 30_000).astype(np.int16))
