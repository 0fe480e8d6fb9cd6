"""A caller who says nothing."""

from __future__ import annotations

from appliance.flow.silence import PARTS_AFTER_S, WAITING, Silence, Step


def test_asked_once_then_told_goodbye() -> None:
    silence = Silence(10.0, 0.0)
    assert silence.kept(9.9) is None
    assert silence.kept(10.0) is Step.ASK
    silence.broken(12.0, by_caller=False)  # that was the agent's own voice
    assert silence.kept(21.0) is None
    assert silence.kept(22.0) is Step.LEAVE


def test_a_caller_who_answers_begins_anew() -> None:
    silence = Silence(10.0, 0.0)
    assert silence.kept(10.0) is Step.ASK
    silence.broken(12.0, by_caller=True)
    assert silence.kept(22.0) is Step.ASK


def test_one_who_asked_to_wait_is_given_time() -> None:
    silence = Silence(10.0, 0.0)
    silence.be_patient()
    assert silence.kept(10.0 * WAITING - 1) is None
    assert silence.kept(10.0 * WAITING) is Step.ASK


def test_some_owners_do_not_mind() -> None:
    assert Silence(0.0, 0.0).kept(1e6) is None


def test_after_a_goodbye_the_caller_is_let_go_unless_they_go_on() -> None:
    for after_s in (10.0, 0.0):
        silence = Silence(after_s, 0.0)
        silence.part()
        silence.broken(2.0, by_caller=False)
        assert silence.kept(2.0 + PARTS_AFTER_S - 0.1) is None
        assert silence.kept(2.0 + PARTS_AFTER_S) is Step.PART
    silence.broken(3.0, by_caller=True)
    assert silence.kept(3.0 + PARTS_AFTER_S) is None
