"""What was measured at the first start is used at the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.app import tuning
from appliance.app.tuning import MEASURED, Tuning


def test_what_was_measured_is_kept_for_that_model(tmp_path: Path) -> None:
    first = Tuning(tmp_path / "state")
    assert first.threads("stt", "tiny", 0) == MEASURED
    first.keep("stt", "tiny", {"threads": 3, "rate": 16_000})
    first.keep("llm", "large", {"threads": 2, "requantise": "off"})
    again = Tuning(tmp_path / "state")
    assert again.threads("stt", "tiny", 0) == 3
    assert again.threads("stt", "base", 0) == MEASURED
    assert again.threads("stt", "tiny", 2) == 2, "the owner's word goes first"
    assert again.requantise("large", "auto") == "off", "not tried again"
    assert again.requantise("small", "auto") == "auto"


def test_what_was_measured_on_a_busy_machine_is_not_kept(tmp_path: Path) -> None:
    Tuning(tmp_path).keep("stt", "tiny", {"threads": 1, "alone": False})
    assert Tuning(tmp_path).threads("stt", "tiny", 0) == MEASURED


def test_another_machine_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Tuning(tmp_path).keep("stt", "tiny", {"threads": 3})
    monkeypatch.setattr(tuning, "_processor", lambda: "another")
    assert Tuning(tmp_path).threads("stt", "tiny", 0) == MEASURED


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine": 1}', "\0"])
def test_a_damaged_file_only_costs_time(tmp_path: Path, content: str) -> None:
    (tmp_path / "tuning.json").write_text(content)
    assert Tuning(tmp_path).threads("stt", "tiny", 0) == MEASURED


@pytest.mark.parametrize("threads", [-1, 0, 65, "2", None])
def test_nonsense_is_measured_anew(tmp_path: Path, threads: object) -> None:
    Tuning(tmp_path).keep("stt", "tiny", {"threads": threads})
    assert Tuning(tmp_path).threads("stt", "tiny", 0) == MEASURED


def test_a_disk_that_takes_nothing_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    Tuning(tmp_path / "state").keep("stt", "tiny", {"threads": 3})
