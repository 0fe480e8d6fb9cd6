"""Tokens for coming back."""

from __future__ import annotations

from appliance.doors.tickets import MOST, Tickets


def test_a_token_is_good_once_and_only_as_it_was_given() -> None:
    tickets = Tickets(120.0)
    token = tickets.issue("call-1")
    assert len(token) >= 32
    assert token != tickets.issue("call-1")
    assert tickets.redeem(token + "x", 0.0) is None
    assert tickets.redeem("", 0.0) is None
    assert tickets.redeem("\ud800", 0.0) is None
    assert tickets.redeem(token, 1e9) == "call-1"  # the line stands: however late
    assert tickets.redeem(token, 1e9) is None


def test_after_the_line_was_lost_it_is_good_for_a_while_and_after_a_hang_up_for_nothing() -> None:
    tickets = Tickets(120.0)
    lost, late, hung_up = (tickets.issue(call) for call in ("a", "b", "c"))
    tickets.ended(lost, 1000.0, coming_back=True)
    tickets.ended(late, 1000.0, coming_back=True)
    tickets.ended(hung_up, 1000.0, coming_back=False)
    assert tickets.redeem(lost, 1119.0) == "a"
    assert tickets.redeem(late, 1121.0) is None
    assert tickets.redeem(hung_up, 1001.0) is None
    tickets.ended("unknown", 0.0, coming_back=True)


def test_they_do_not_pile_up() -> None:
    tickets = Tickets(120.0)
    tokens = [tickets.issue(str(i)) for i in range(MOST + 1)]
    assert tickets.redeem(tokens[0], 0.0) is None
    assert tickets.redeem(tokens[1], 0.0) == "1"
