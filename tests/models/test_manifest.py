"""The manifest that ships, and what a bad one is told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.models import manifest
from appliance.models.manifest import default_models_dir, load
from appliance.terms.errors import ModelError

SHA = "ab" * 32
GOOD = f"""
[profiles]
standard = ["small"]
[models.small]
kind = "stt"
about = "small"
licence = "MIT"
origin = "https://hub.example/small"
[[models.small.files]]
path = "model.bin"
size = 3
sha256 = "{SHA}"
parts = [{{ package = "carrier", version = "1.0", size = 9, sha256 = "{SHA}", member = "carrier/model.bin" }}]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "manifest.toml"


def test_the_manifest_that_ships_names_a_model_of_each_kind() -> None:
    shipped = load()
    models = [shipped.model(name) for name in shipped.profile("standard")]
    assert [model.kind for model in models] == ["stt", "llm", "tts", "sense", "sense"]
    assert {model.licence for model in models} <= {"MIT", "Apache-2.0", "CC0-1.0", "BSD-2-Clause"}


def test_what_ships_comes_over_https_and_from_fixed_revisions() -> None:
    for model in load().models.values():
        for url in (model.origin, model.licence_text, *(file.hub for file in model.files if file.hub)):
            assert urlsplit(url).scheme == "https"
        assert not [file.hub for file in model.files if "/resolve/main/" in file.hub]


def test_a_good_one_is_read(place: Path) -> None:
    place.write_text(GOOD)
    model = load(place).model("small")
    assert model.size == 3
    assert model.files[0].parts[0].member == "carrier/model.bin"


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ('kind = "stt"', 'kind = "ears"', "models.small.kind: "),
        ('about = "small"', 'about = "small"\ncolour = "red"', "models.small.colour: this key is not known"),
        ('licence = "MIT"\n', "", "models.small.licence: this key is missing"),
        ("size = 3\n", "size = -1\n", "models.small.files[0].size: "),
        ("size = 3\n", 'size = "3"\n', "models.small.files[0].size: "),
        (f'sha256 = "{SHA}"\n', 'sha256 = "AB12"\n', "models.small.files[0].sha256: 'AB12' is not a sha256"),
        ('path = "model.bin"', 'path = "../../etc/passwd"', "models.small.files[0].path: the path '../../etc/passwd'"),
        ('path = "model.bin"', 'path = "/etc/passwd"', "models.small.files[0].path: the path '/etc/passwd'"),
        ('path = "model.bin"', 'path = "a/../../b"', "models.small.files[0].path: "),
        ('path = "model.bin"', 'path = ".verified"', "models.small.files[0].path: "),
        ('version = "1.0"', 'version = "1.0 --pre"', "models.small.files[0].parts[0].version: "),
        ('package = "carrier"', 'package = "-r other.txt"', "models.small.files[0].parts[0].package: "),
        ("parts = [{", "parts = [] #", "models.small.files[0].parts: "),
        ('standard = ["small"]', 'standard = ["smalL"]', "profiles.standard: there is no model 'smalL'"),
        ("[models.small]", '[models."../small"]', "models.../small.name: the path '../small'"),
        ("[profiles]", "[profiles", "manifest.toml: "),
        ("[profiles]\n", 'models = "none"\n[profiles]\n', "manifest.toml: "),
    ],
)
def test_a_bad_one_is_told_what_and_where(place: Path, good: str, bad: str, told: str) -> None:
    assert good in GOOD
    place.write_text(GOOD.replace(good, bad, 1))
    with pytest.raises(ModelError) as caught:
        load(place)
    assert str(place) in str(caught.value)
    assert told in str(caught.value)


def test_everything_wrong_is_told_at_once(place: Path) -> None:
    place.write_text(GOOD.replace('kind = "stt"', 'kind = "ears"').replace("size = 3\n", "size = 0\n"))
    with pytest.raises(ModelError, match=r"models\.small\.kind.*models\.small\.files\[0\]\.size"):
        load(place)


def test_the_same_file_twice(place: Path) -> None:
    place.write_text(GOOD + GOOD[GOOD.index("[[models") :])
    with pytest.raises(ModelError, match=r"models\.small: a file 'model\.bin' is there more than once"):
        load(place)


def test_no_manifest_at_all(place: Path) -> None:
    with pytest.raises(ModelError, match="No such file") as caught:
        load(place)
    assert caught.value.mend


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"whisper-tiny\.eng") as model:
        load().model("whisper-tiny.eng")
    assert model.value.mend == "Did you mean whisper-tiny.en?"
    with pytest.raises(ModelError) as profile:
        load().profile("zzz")
    assert profile.value.mend == "There are: standard, multilingual, quality."


def test_a_checkout_keeps_its_models_beside_the_manifest() -> None:
    assert default_models_dir() == Path(__file__).parents[2] / "models"


@pytest.mark.parametrize(
    ("xdg", "expected"),
    [("/data", "/data/frontdesk/models"), ("data", "/home/o/.local/share/frontdesk/models"), ("", None)],
)
def test_an_installation_keeps_them_with_the_users_data(
    monkeypatch: pytest.MonkeyPatch, place: Path, xdg: str, expected: str | None
) -> None:
    place.write_text(GOOD)
    monkeypatch.setattr(manifest, "INSTALLED", place)
    monkeypatch.setenv("HOME", "/home/o")
    monkeypatch.setenv("XDG_DATA_HOME", xdg)
    assert default_models_dir() == Path(expected or "/home/o/.local/share/frontdesk/models")
    assert list(load().models) == ["small"]
