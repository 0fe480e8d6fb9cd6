"""The owner's configuration, good and bad."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.app.settings import load
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError


def problems(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return caught.value.problems


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "frontdesk.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {"PATH": "/bin", "FRONTDESK_LOG": "x"}) == Config()


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[http]\nport = 81\nhost = "::1"\n[limits]\ncalls = 2\n')
    environ = {"FRONTDESK_HTTP__PORT": "82", "FRONTDESK_WEBRTC__ICE_SERVERS": '["stun:a"]'}
    config = load(path, environ | {"FRONTDESK_AGENT__GREETING": "Good day, = you"})
    assert (config.http.port, config.http.host, config.limits.calls) == (82, "::1", 2)
    assert config.webrtc.ice_servers == ["stun:a"]
    assert config.agent.greeting == "Good day, = you"


def test_all_problems_are_told_at_once_each_with_its_place_and_the_nearest_key(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[http]\nport = 99999\nhots = "x"\n[limit]\ncalls = 2\n'
        '[limits]\ncalls = "many"\n[turns]\nspeculate = "maybe"\n',
    )
    found = problems(path, {"FRONTDESK_STT__THREADS": "-1", "FRONTDESK_STT__MODLE": "x"})
    assert len(found) == 7
    text = "\n".join(found)
    assert f"{path}: http.port = 99999" in text
    assert f"{path}: http.hots is not a known key; did you mean http.host?" in text
    assert f"{path}: [limit] is not a known section; did you mean limits?" in text
    assert f"{path}: limits.calls = 'many'" in text
    assert f"{path}: turns.speculate = 'maybe'" in text
    assert "FRONTDESK_STT__THREADS: stt.threads = -1" in text
    assert "FRONTDESK_STT__MODLE: stt.modle is not a known key; did you mean stt.model?" in text


@pytest.mark.parametrize("content", [b"[http\n", b"port = = 3", b"\xff\xfe", b"http = 3", b"x" * (1 << 20) + b"x"])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frontdesk.toml"
    path.write_bytes(content)
    assert all(str(path) in problem for problem in problems(path))


def test_a_missing_file_that_was_asked_for_is_a_problem(tmp_path: Path) -> None:
    assert "No such file" in problems(tmp_path / "other.toml")[0]


def test_the_command_tells_them_and_exits_with_2(tmp_path: Path) -> None:
    path = written(tmp_path, "[http]\nport = -1\nhots = 2\n")
    done = subprocess.run(
        [sys.executable, "-m", "appliance.app.cli", "run", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "http.port" in done.stderr
    assert "did you mean http.host?" in done.stderr
    assert "Traceback" not in done.stderr
