"""What may leave the device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.gate import DOORS, NEEDS, Gate
from appliance.terms.config import Allowed
from appliance.terms.errors import ConfigError

LEVELS: tuple[Allowed, ...] = ("none", "text", "audio")


def allowed(allow: Allowed, by: dict[str, Allowed] | None = None, door: str = "sip") -> set[str]:
    gate = Gate(allow, by or {})
    return {stage for stage in NEEDS if gate.may(stage, door)}


@pytest.mark.parametrize(
    ("allow", "stages"), [("none", set()), ("text", {"llm", "tts"}), ("audio", {"stt", "llm", "tts", "turn"})]
)
def test_each_stage_needs_its_kind(allow: Allowed, stages: set[str]) -> None:
    assert allowed(allow) == stages


def test_a_stage_or_a_door_has_a_word_of_its_own_and_both_together_the_last() -> None:
    assert allowed("none", {"llm": "text"}) == {"llm"}
    assert allowed("audio", {"sip": "none"}) == set()
    assert allowed("audio", {"sip": "none"}, door="webrtc") == {"stt", "llm", "tts", "turn"}
    assert allowed("none", {"sip": "none", "sip.llm": "text"}) == {"llm"}
    assert allowed("audio", {"llm": "audio", "sip": "none"}) == set(), "where they disagree, less is allowed"


@given(st.dictionaries(st.sampled_from([*NEEDS, *DOORS]), st.sampled_from(LEVELS)))
def test_none_is_none(by: dict[str, Allowed]) -> None:
    closed: dict[str, Allowed] = {**by, **dict.fromkeys(DOORS, "none")}
    assert all(allowed("audio", closed, door) == set() for door in DOORS)
    if not by:
        assert all(allowed("none", by, door) == set() for door in DOORS)


def test_a_stage_that_is_none_is_told() -> None:
    with pytest.raises(ConfigError, match=r"cloud\.allow_by: lmm"):
        Gate("none", {"lmm": "text"})
