"""When a provider is left alone, and when it is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.breaker import FIRST_S, LONGEST_S, Breaker, State


def test_two_failures_in_a_row_open_it_and_one_success_between_does_not() -> None:
    breaker = Breaker()
    assert not breaker.failed(0, "slow")
    breaker.succeeded()
    assert not breaker.failed(1, "slow")
    assert breaker.usable(1)
    assert breaker.failed(2, "slow again")
    assert (breaker.state(2), breaker.usable(2), breaker.why) == (State.OPEN, False, "slow again")


def test_who_cannot_be_reached_is_given_up_at_once() -> None:
    breaker = Breaker()
    assert breaker.failed(0, "no route", at_once=True)
    assert not breaker.usable(1)


def test_after_a_while_one_request_may_try() -> None:
    breaker = Breaker()
    breaker.failed(0, "x", at_once=True)
    assert breaker.usable(FIRST_S)
    breaker.asked(FIRST_S)
    assert not breaker.usable(FIRST_S + 0.1), "one is under way"
    assert breaker.succeeded(), "it is back"
    assert breaker.state(FIRST_S + 0.2) is State.CLOSED
    assert not breaker.succeeded(), "it was back before"


def test_each_failed_try_doubles_the_wait() -> None:
    breaker, now, waits = Breaker(), 0.0, []
    breaker.failed(now, "x", at_once=True)
    for _ in range(10):
        began = now
        while not breaker.usable(now):
            now += 0.5
        waits.append(now - began)
        breaker.asked(now)
        assert not breaker.failed(now, "x"), "it was given up before"
    assert waits[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits[-1] == LONGEST_S


@given(st.lists(st.tuples(st.sampled_from(["ask", "ok", "fail", "gone"]), st.floats(0, 400))))
def test_it_is_never_given_up_for_ever(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for what, seconds in steps:
        now += seconds
        match what:
            case "ask":
                breaker.asked(now)
            case "ok":
                breaker.succeeded()
            case _:
                breaker.failed(now, "x", at_once=what == "gone")
    assert breaker.usable(now + LONGEST_S + 20)
