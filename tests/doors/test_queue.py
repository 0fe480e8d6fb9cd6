"""The queue between playout and a door's clock."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.doors.queue import SpeechQueue

PIECES = st.lists(st.integers(0, 900), max_size=20)


@given(PIECES, PIECES)
def test_everything_comes_out_once_in_order_and_silence_is_not_counted(puts: list[int], takes: list[int]) -> None:
    queue = SpeechQueue(8000)
    whole = np.arange(1, sum(puts) + 1, dtype=np.int64).astype(np.int16)
    at = 0
    for size in puts:
        queue.put(whole[at : at + size])
        at += size
    out = [queue.take(size) for size in takes]
    assert [len(piece) for piece in out] == takes
    played = min(sum(takes), len(whole))
    assert queue.played_samples == played
    heard = np.concatenate(out) if out else np.zeros(0, np.int16)
    assert np.array_equal(heard[:played], whole[:played])
    assert not heard[played:].any()
    assert queue.queued_ms == (len(whole) - played) / 8


def test_what_is_cleared_is_never_heard() -> None:
    queue = SpeechQueue(8000)
    queue.put(np.ones(800, np.int16))
    queue.take(160)
    queue.clear()
    assert queue.queued_ms == 0
    assert not queue.take(160).any()
    assert queue.played_samples == 160
