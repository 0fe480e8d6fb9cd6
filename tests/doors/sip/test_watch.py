from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from appliance.doors.sip.watch import (
    BAN_S,
    LONGEST_BAN_S,
    MOST_ADDRESSES,
    MOST_BANNED,
    MOST_REFUSED,
    MOST_REQUESTS,
    WINDOW_S,
    Watch,
)


def refuse(watch: Watch, source: str, now: float, transactions: Iterator[int] = itertools.count()) -> bool:  # noqa: B008
    return watch.refused(source, now, str(next(transactions)))


@pytest.fixture
def watch() -> Watch:
    return Watch(lambda source: source.startswith("10."))


def test_who_is_refused_too_often_is_banned(watch: Watch) -> None:
    verdicts = [refuse(watch, "192.0.2.1", float(i)) for i in range(MOST_REFUSED)]
    assert verdicts == [False] * (MOST_REFUSED - 1) + [True]
    assert watch.banned == {"192.0.2.1": MOST_REFUSED - 1 + BAN_S}


def test_who_asks_too_often_is_banned(watch: Watch) -> None:
    assert sum(watch.request("192.0.2.1", i * 0.01) for i in range(MOST_REQUESTS + 50)) == 1


def test_slow_ones_and_known_ones_are_not(watch: Watch) -> None:
    assert not any(refuse(watch, "192.0.2.1", i * WINDOW_S / 5) for i in range(100))
    assert not any(watch.request("10.1.2.3", 0.0) for _ in range(10 * MOST_REQUESTS))


def test_a_ban_ends_and_the_next_is_longer(watch: Watch) -> None:
    lasted = []
    now = 0.0
    for _ in range(10):
        while not refuse(watch, "192.0.2.1", now):
            now += 0.1
        lasted.append(watch.banned["192.0.2.1"] - now)
        assert not watch.lift(now)
        now += lasted[-1] + 1
        assert watch.lift(now)
        assert not watch.banned
    assert lasted[:3] == pytest.approx([BAN_S, 2 * BAN_S, 4 * BAN_S])
    assert lasted[-1] == pytest.approx(LONGEST_BAN_S)


def test_it_remembers_no_more_than_it_must(watch: Watch) -> None:
    for i, j in itertools.product(range(20), range(250)):
        for _ in range(MOST_REFUSED):
            refuse(watch, f"192.0.{i}.{j}", 0.0)
    assert len(watch._strangers) <= MOST_ADDRESSES
    assert len(watch.banned) <= MOST_BANNED


def test_a_refusal_that_is_sent_again_counts_once(watch: Watch) -> None:
    assert not any(watch.refused("192.0.2.1", i * 0.5, "one call") for i in range(50))
