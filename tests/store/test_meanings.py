"""What sentences mean, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.store.meanings import AT_ONCE, Meanings
from appliance.terms.meaning import Meaning


def meaning(*words: str) -> Meaning:
    vectors = np.random.default_rng(len(words)).normal(size=(1 + len(words), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Meaning(whole=vectors[0], words=words, each=vectors[1:])


def test_what_is_kept_is_there_after_a_start(tmp_path: Path) -> None:
    kept = Meanings(tmp_path / "meanings.db", "m1")
    told = meaning("dogs", "are", "welcome")
    kept.keep({"Dogs are welcome.": told})
    kept.close()
    kept = Meanings(tmp_path / "meanings.db", "m1")
    (found,) = kept.of(["Dogs are welcome.", "Cats are not."]).values()
    assert found.words == told.words
    np.testing.assert_allclose(found.each, told.each, atol=1e-3)
    np.testing.assert_allclose(found.whole, told.whole, atol=1e-3)
    kept.close()


def test_another_models_meanings_are_not_taken_for_its_own(tmp_path: Path) -> None:
    kept = Meanings(tmp_path / "meanings.db", "m1")
    kept.keep({"Dogs.": meaning("dogs")})
    kept.close()
    kept = Meanings(tmp_path / "meanings.db", "m2")
    assert kept.of(["Dogs."]) == {}
    kept.close()


def test_what_nobody_wants_any_more_is_forgotten(tmp_path: Path) -> None:
    kept = Meanings(tmp_path / "meanings.db", "m1")
    many = [f"Room {number}." for number in range(2 * AT_ONCE + 1)]
    kept.keep({text: meaning("room", "n") for text in many})
    assert set(kept.of(many)) == set(many)
    kept.forget_others(many[:3])
    assert set(kept.of(many)) == set(many[:3])
    kept.close()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "meanings.db").write_bytes(b"nonsense" * 1000)
    kept = Meanings(tmp_path / "meanings.db", "m1")
    assert kept.of(["Dogs."]) == {}
    kept.close()


@pytest.mark.parametrize("words", [(), ("one",)])
def test_a_text_without_words_is_kept_as_well(tmp_path: Path, words: tuple[str, ...]) -> None:
    kept = Meanings(tmp_path / "meanings.db", "m1")
    kept.keep({"…": meaning(*words)})
    assert kept.of(["…"])["…"].words == words
    kept.close()
