"""The owner's facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.knowledge.facts import MAX_BYTES, load
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


def test_each_problem_names_the_key_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "long.txt").write_text("x" * (MAX_BYTES + 1))
    (tmp_path / "empty").mkdir()
    for name, problem in (
        ("latin.txt", "not UTF-8"),
        ("long.txt", "more than 64 kB"),
        ("empty", "no .md or .txt"),
        ("missing.md", "No such file"),
    ):
        with pytest.raises(ConfigError, match=problem) as caught:
            load(tmp_path / name)
        assert "agent.knowledge" in str(caught.value)
        assert name in str(caught.value)
