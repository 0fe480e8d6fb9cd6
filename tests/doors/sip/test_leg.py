"""A call's sound in the worker, with a stand-in for baresip's ring buffers that keeps their contract."""

from __future__ import annotations

import numpy as np
import pytest
from baresip import AudioInfo, AudioNotActive, AudioRestarted, AudioStats

from appliance.doors.sip.leg import MOST_AHEAD_S, RATE_OUT, Leg
from appliance.terms.units import FRAME_SAMPLES

PACKET = RATE_OUT // 50


class Rings:
    """Of a call: not active until `start`; a `tick` sends 20 ms; what is to be flushed goes at the next tick, with
    whatever was written meanwhile."""

    def __init__(self, rate: int = 8000, channels: int = 1) -> None:
        self.rate, self.channels = rate, channels
        self.active = False
        self.received = b""
        self.sent = b""
        self._queue = b""
        self._flushed = 0
        self._flushing = False
        self._epoch = 0
        self._bound_epoch: int | None = None

    def start(self) -> None:
        """New streams, as after a renegotiation."""
        self.active = True
        self._epoch += 1
        self._queue, self._flushed = b"", 0

    def tick(self) -> None:
        if self._flushing:
            self._flushed += len(self._queue)
            self._queue, self._flushing = b"", False
        size = self.rate // 50 * 2 * self.channels
        self.sent += self._queue[:size]
        self._queue = self._queue[size:]

    def info(self) -> AudioInfo:
        if not self.active:
            raise AudioNotActive("no audio")
        self._bound_epoch = self._epoch
        zeros = dict.fromkeys(("tx_buffered", "rx_buffered", "tx_capacity", "rx_capacity"), 0)
        rates = {"tx_sample_rate": self.rate, "rx_sample_rate": self.rate}
        channels = {"tx_channels": self.channels, "rx_channels": self.channels}
        return AudioInfo(tx_ready=True, rx_ready=True, tx_ptime_ms=20, **rates, **channels, **zeros)

    def stats(self) -> AudioStats:
        if not self.active:
            raise AudioNotActive("no audio")
        self._bound_epoch = self._epoch  # as baresip-python's does
        zeros = dict.fromkeys((f for f in AudioStats.__dataclass_fields__), 0)
        return AudioStats(**{**zeros, "tx_buffered": len(self._queue), "tx_flushed_bytes": self._flushed})

    def read(self, max_bytes: int) -> bytes:
        self._check()
        out, self.received = self.received[:max_bytes], self.received[max_bytes:]
        return out

    def write(self, pcm: bytes) -> int:
        self._check()
        self._queue += pcm
        return len(pcm)

    def flush_tx(self) -> None:
        self._check()
        self._flushing = True

    def _check(self) -> None:
        if not self.active:
            raise AudioNotActive("no audio")
        if self._bound_epoch != self._epoch:
            raise AudioRestarted("renegotiated")


class Playing(Leg):
    """Counts what it is given, as a line does."""

    given = 0

    def say(self, pcm: np.ndarray) -> None:
        self.given += len(pcm)
        self.play(pcm, self.given, self.account.flushes)


def loud(packets: int, level: int = 5000) -> np.ndarray:
    return np.full(packets * PACKET, level, np.int16)


def frames(rings: Rings, count: int) -> bytes:
    return np.full(rings.rate // 50 * count * rings.channels, 900, np.int16).tobytes()


def test_what_is_to_be_played_waits_until_sound_flows() -> None:
    rings = Rings()
    leg = Playing(rings)
    leg.say(loud(3))
    assert leg.take() is not None  # the account has changed
    assert leg.account.left == 3 * PACKET
    rings.start()
    for _ in range(5):
        leg.take()
        rings.tick()
    leg.take()
    assert (leg.account.left, leg.account.got) == (0, 3 * PACKET)
    assert leg.account.played == pytest.approx(3 * PACKET, abs=PACKET // 5)
    assert len(rings.sent) >= 2.8 * 320


def test_more_than_a_second_that_nobody_takes_is_lost() -> None:
    leg = Playing(Rings())
    for _ in range(100):
        leg.say(loud(1))
    leg.take()
    assert leg.account.left <= MOST_AHEAD_S * RATE_OUT
    assert (leg.account.played, leg.account.got) == (0, 100 * PACKET)


def test_what_follows_a_flush_is_not_flushed_with_it() -> None:
    rings = Rings()
    rings.start()
    leg = Playing(rings)
    leg.say(loud(10))
    rings.tick()
    leg.flush(1)
    leg.play(loud(2, level=-5000), 12 * PACKET, 1)
    leg.take()
    assert (leg.account.flushes, leg.account.left) == (1, 2 * PACKET)
    rings.tick()
    for _ in range(4):
        leg.take()
        rings.tick()
    leg.take()
    assert leg.account.left == 0
    sent = np.frombuffer(rings.sent, np.int16)
    assert (sent > 4000).sum() <= 330
    assert (sent < -4000).sum() >= 280
    assert leg.account.played < 4 * PACKET


def test_a_renegotiation_loses_what_was_queued_and_nothing_else() -> None:
    rings = Rings()
    rings.start()
    leg = Playing(rings)
    leg.say(loud(10))
    rings.tick()
    leg.take()
    rings.rate, rings.channels = 48_000, 2
    rings.start()
    leg.take()
    assert leg.account.left == 0
    before = leg.account.played
    leg.say(loud(2))
    for _ in range(4):
        leg.take()
        rings.tick()
    leg.take()
    assert leg.account.left == 0
    assert leg.account.played - before == pytest.approx(2 * PACKET, abs=PACKET // 4)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 1), (48_000, 2)])
def test_what_comes_is_told_in_whole_frames(rate: int, channels: int) -> None:
    rings = Rings(rate, channels)
    rings.start()
    leg = Playing(rings)
    heard = []
    for _ in range(20):
        rings.received += frames(rings, 1)
        pcm = leg.take()
        if pcm is not None:
            assert len(pcm) % FRAME_SAMPLES == 0
            heard.append(pcm)
    whole = np.concatenate(heard)
    assert len(whole) >= 18 * FRAME_SAMPLES
    assert abs(int(np.median(whole)) - 900) < 20
    assert leg.take() is None


def test_notes_that_were_lost_do_not_skew_the_account() -> None:
    rings = Rings()
    rings.start()
    leg = Leg(rings)
    leg.play(loud(1), 5 * PACKET, 0)  # four before it never came
    leg.play(loud(1), 9 * PACKET, 1)  # nor did a flush
    leg.take()
    assert (leg.account.got, leg.account.flushes, leg.account.left) == (9 * PACKET, 1, PACKET)
