"""Where words end among phonemes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.local.timing import ends


@pytest.mark.parametrize(
    ("counts", "phonemes", "words"),
    [
        ([2, 4], "wi oʊpn", ["wi", " oʊpn"]),
        ([3, 2, 4], "ʌv ðə haʊs", ["ʌv", " ðə", " haʊs"]),
        ([2, 2, 4], "ʌvðə haʊs", ["ʌvðə", "", " haʊs"]),  # espeak joins them
        ([0, 2], "wi", ["", "wi"]),
        ([], "", []),
    ],
)
def test_words_end_at_the_gap_near_their_share(counts: list[int], phonemes: str, words: list[str]) -> None:
    found = ends(counts, list(phonemes))
    assert [phonemes[a:b] for a, b in zip([0, *found], found, strict=False)] == words


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.text(" abc", max_size=200))
def test_words_follow_each_other_and_the_last_ends_with_the_sound(counts: list[int], phonemes: str) -> None:
    found = ends(counts, list(phonemes))
    assert found == sorted(found)
    assert all(0 <= end <= len(phonemes) for end in found)
    if sum(counts):
        assert found[-1] == len(phonemes)
