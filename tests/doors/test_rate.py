"""How often one address may ask."""

from __future__ import annotations

from appliance.doors.rate import MOST_ADDRESSES, Rate


def test_one_too_many_is_refused_until_a_minute_has_passed_since_the_first() -> None:
    rate = Rate(3)
    assert [rate.admits("a", now) for now in (0.0, 1.0, 2.0, 3.0, 59.9)] == [True, True, True, False, False]
    assert rate.admits("a", 60.0)
    assert not rate.admits("a", 60.5)


def test_a_greedy_address_takes_nothing_from_another() -> None:
    rate = Rate(1)
    assert rate.admits("a", 0.0)
    assert not rate.admits("a", 1.0)
    assert rate.admits("b", 1.0)


def test_only_so_many_addresses_are_remembered() -> None:
    rate = Rate(1)
    for i in range(MOST_ADDRESSES + 1):
        assert rate.admits(str(i), 0.0)
    assert rate.admits("0", 1.0)  # forgotten
    assert not rate.admits(str(MOST_ADDRESSES), 1.0)
