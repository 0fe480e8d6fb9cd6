"""The journal's files: bounded, whole, and readable by the device alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.telemetry.journal import FILES, Journal
from appliance.terms.errors import DeviceError


def lines(folder: Path) -> list[str]:
    """All of them, the oldest first."""
    files = sorted(folder.glob("journal*.jsonl"), key=lambda path: path.name.split(".")[1].rjust(5), reverse=True)
    files = [path for path in files if path.name != "journal.jsonl"] + [folder / "journal.jsonl"]
    return [line for path in files for line in path.read_text().splitlines()]


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        journal = Journal(tmp_path, most_bytes=100_000)
        journal.write(json.dumps({"number": number, "name": "Zoë"}, ensure_ascii=False))
        journal.close()
    assert [json.loads(line)["number"] for line in lines(tmp_path)] == [1, 2]
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o077 == 0


def test_it_never_grows_beyond_its_share_and_forgets_the_oldest(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=10_000)
    for number in range(1000):
        journal.write(json.dumps({"number": number}))
    kept = [json.loads(line)["number"] for line in lines(tmp_path)]
    assert kept == list(range(kept[0], 1000))
    assert len(list(tmp_path.iterdir())) == FILES
    assert 7_000 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000


def test_a_line_that_a_power_cut_tore_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b'{"number": 1}\n{"numb')
    journal = Journal(tmp_path, most_bytes=100_000)
    journal.write('{"number": 2}')
    assert lines(tmp_path) == ['{"number": 1}', '{"numb', '{"number": 2}']


def test_a_disk_that_is_full_is_told_and_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state", most_bytes=100_000)
    (tmp_path / "state").write_text("")
    with pytest.raises(DeviceError, match=r"journal\.jsonl"):
        journal.write("{}")
    (tmp_path / "state").unlink()
    journal.write("{}")
    assert lines(tmp_path / "state") == ["{}"]
