"""The owner's facts: a text file, or a folder of them, read whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.terms.errors import ConfigError

from . import hours
from .hours import Hours

SUFFIXES = (".md", ".txt")
MAX_BYTES = 64 * 1024
HEADING = re.compile(r"^#+\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    business: str
    """The first heading, else the file's name."""
    text: str
    hours: list[Hours]
    """When it is open, and its parts, as far as that was written down."""


def load(path: Path) -> Facts:
    """Raises ConfigError naming what cannot be read, or what is too much to hold in a prompt."""
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise ConfigError([f"agent.knowledge: there is no .md or .txt file in {path}"])
    texts = [read_text(file, "agent.knowledge") for file in files]
    text = "\n\n".join(texts).strip()
    if len(text.encode()) > MAX_BYTES:
        raise ConfigError([f"agent.knowledge: {path} holds more than {MAX_BYTES // 1024} kB"])
    heading = HEADING.search(text)
    return Facts(business=heading[1] if heading else path.stem, text=text, hours=hours.read(text))


def read_text(path: Path, key: str) -> str:
    """A UTF-8 text file; ConfigError names `key` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{key}: {path}: {error.strerror}"]) from error
    except UnicodeDecodeError:
        raise ConfigError([f"{key}: {path} is not UTF-8 text"]) from None
