"""A slow device does less."""

from __future__ import annotations

from appliance.flow.pace import FIRST_WORDS, FIRST_WORDS_SLOW, LEAST_TOKENS, Pace


def pace(**changes: bool) -> Pace:
    return Pace(speculate=changes.get("speculate", True), max_tokens=80)


def test_at_first_and_on_a_fast_device_everything_is_done() -> None:
    fast = pace()
    assert fast.speculates
    assert fast.max_tokens == 80
    for _ in range(5):
        fast.turn(stt_s=0.11, tok_s=45.0)
    assert fast.speculates
    assert fast.max_tokens == 80


def test_one_slow_turn_changes_nothing_but_slowness_does_until_it_is_over() -> None:
    device = pace()
    for stt_s in (0.1, 0.1, 2.0):
        device.turn(stt_s=stt_s, tok_s=None)
    assert device.speculates
    for _ in range(3):
        device.turn(stt_s=0.5, tok_s=None)
    assert not device.speculates
    for _ in range(4):
        device.turn(stt_s=0.4, tok_s=None)
    assert not device.speculates  # better, but not good
    for _ in range(4):
        device.turn(stt_s=0.2, tok_s=None)
    assert device.speculates


def test_replies_grow_no_longer_than_can_be_written_in_time() -> None:
    device = pace()
    device.turn(stt_s=None, tok_s=10.0)
    assert device.max_tokens == 40
    for _ in range(4):
        device.turn(stt_s=None, tok_s=2.0)
    assert device.max_tokens == LEAST_TOKENS
    for _ in range(4):
        device.turn(stt_s=None, tok_s=30.0)
    assert device.max_tokens == 80


def test_the_owner_has_the_last_word() -> None:
    assert not pace(speculate=False).speculates
    short = Pace(speculate=True, max_tokens=16)
    short.turn(stt_s=None, tok_s=3.0)
    assert short.max_tokens == 16


def test_a_slow_device_begins_with_more_words() -> None:
    device = Pace(speculate=True, max_tokens=80)
    assert device.first_words == FIRST_WORDS
    device.turn(stt_s=None, tok_s=10.0)
    assert device.first_words == FIRST_WORDS_SLOW
