"""`frontdesk models`, against an index on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from appliance.app import engines
from appliance.app.models import app
from appliance.models import manifest
from tests.models.package_index import Index, file, model, serving, written


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    """An index with the weights of two small models, and a manifest of those."""
    with serving(monkeypatch) as index:
        ears = model("ears", file("a.bin", b"aaaa", index.publish("carrier", {"a": b"aaaa"})["a"]))
        voice = model("voice", file("v.bin", b"vv", index.publish("other", {"v": b"vv"})["v"]))
        monkeypatch.setattr(manifest, "INSTALLED", written(tmp_path / "manifest.toml", ears, voice))
        for key, value in {"STT__MODEL": "ears", "TTS__VOICE": "voice", "LLM__MODEL": "/own/model.gguf"}.items():
            monkeypatch.setenv(f"FRONTDESK_{key}", value)
        for own in ("TURN_MODEL", "MEANING_MODEL"):
            monkeypatch.setattr(engines, own, "/own/sense.onnx")
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--models-dir", str(folder)])


def last(result: Result) -> dict[str, Any]:
    """The object that --json prints."""
    found = json.loads(result.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.usefixtures("index")
def test_pull_without_a_name_fetches_what_the_configuration_uses(folder: Path) -> None:
    first = run(folder, "pull", "--json")
    assert first.exit_code == 0
    assert last(first)["fetched"] == ["ears", "voice"]
    assert "ears/a.bin: 100%" in first.stderr
    assert "100%" not in first.stdout

    second = run(folder, "pull", "--profile", "standard", "--json")
    assert second.exit_code == 0
    assert last(second) == {**last(second), "good": True, "dir": str(folder), "fetched": []}
    assert second.stderr == ""


@pytest.mark.usefixtures("index")
def test_pull_by_name_fetches_that_alone(folder: Path) -> None:
    assert last(run(folder, "pull", "voice", "--json"))["fetched"] == ["voice"]
    listed = {row["name"]: row["status"] for row in last(run(folder, "list", "--json"))["models"]}
    assert listed == {"ears": "missing", "voice": "whole"}


def test_a_failed_pull_is_one_line_a_mend_and_exit_1(index: Index, folder: Path) -> None:
    index.publish("carrier", {"a": b"aaaa", "more": b"x"})
    result = run(folder, "pull", "--json")
    assert result.exit_code == 1
    error, mend = result.stderr.splitlines()
    assert error.startswith("error: ears/a.bin: carrier 1.0 came with sha256")
    assert mend.startswith("mend:  ")
    assert last(result)["good"] is False
    assert last(result)["error"] in error


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("pull", "eears"), "Did you mean ears?"),
        (("verify", "vice"), "Did you mean voice?"),
        (("pull", "--profile", "standart"), "Did you mean standard?"),
        (("pull", "ears", "--profile", "standard"), "names or --profile"),
    ],
)
def test_bad_usage_exits_2_and_says_what_was_meant(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    result = run(folder, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not folder.exists()


@pytest.mark.usefixtures("index")
def test_verify_says_which_model_is_damaged(folder: Path) -> None:
    run(folder, "pull")
    assert run(folder, "verify").exit_code == 0
    (folder / "ears/a.bin").write_bytes(b"aaXa")

    result = run(folder, "verify", "--json")

    assert result.exit_code == 1
    assert "BAD  ears" in result.stdout
    assert "ok   voice" in result.stdout
    assert "frontdesk models pull ears" in result.stderr
    assert last(result)["good"] is False
    assert last(result)["problems"]["voice"] == []
    assert last(run(folder, "pull", "--json"))["fetched"] == ["ears"]


@pytest.mark.usefixtures("index")
def test_a_bad_manifest_exits_1(folder: Path) -> None:
    manifest.INSTALLED.write_text("[models]\n")
    result = run(folder, "list", "--json")
    assert result.exit_code == 1
    assert "profiles: this key is missing" in result.stderr
    assert last(result)["good"] is False


@pytest.mark.usefixtures("index")
def test_the_configuration_says_where_the_models_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTDESK_MODELS__DIR", str(tmp_path / "there"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["pull", "voice"])
    assert result.exit_code == 0
    assert (tmp_path / "there/voice/v.bin").read_bytes() == b"vv"
