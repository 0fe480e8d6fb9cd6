"""The owner's facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.knowledge.facts import MOST_PASSAGES, files, load, tokens
from appliance.terms.errors import ConfigError


def test_a_file_names_the_business_by_its_first_heading(tmp_path: Path) -> None:
    path = tmp_path / "facts.md"
    path.write_text("Some words.\n## The Old Mill  \nOpen daily.\n# Later\n")
    facts = load(path)
    assert facts.business == "The Old Mill"
    assert "Open daily." in facts.text


def test_without_a_heading_it_is_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "mill.txt").write_text("Open daily.")
    assert load(tmp_path / "mill.txt").business == "mill"


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("# First")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    assert load(tmp_path).text == "# First\n\nsecond"


def test_a_folder_is_read_as_deep_as_it_goes_but_for_what_is_hidden(tmp_path: Path) -> None:
    for name in ("a.md", "prices/b.csv", ".git/c.md", ".d.txt", "e.docx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x,y\n1,2\n")
    assert files(tmp_path) == [tmp_path / "a.md", tmp_path / "prices/b.csv"]


def test_a_file_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("# Mill\n\nWe are open.")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    facts = load(tmp_path)
    assert [passage.text for passage in facts.passages] == ["We are open."]
    (problem,) = facts.problems
    assert "latin.txt" in str(problem)


def test_tokens_are_told_about_as_a_language_model_counts_them() -> None:
    assert tokens("A room costs 120 euros.") == 8
    assert tokens("") == 0
    assert tokens("Straßenbahn, café") == 4


def test_each_problem_names_the_key_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "long.txt").write_text("A room. " * (MOST_PASSAGES + 1))
    (tmp_path / "empty").mkdir()
    for name, problem in (
        ("latin.txt", "not UTF-8"),
        ("long.txt", "more than 5000"),
        ("empty", "no file"),
        ("missing.md", "No such file"),
    ):
        with pytest.raises(ConfigError, match=problem) as caught:
            load(tmp_path / name)
        assert "agent.knowledge" in str(caught.value)
        assert name in str(caught.value)
