"""What the owner wrote: a file, or a folder of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.terms.errors import ConfigError, DocumentError

from . import documents, hours, passages
from .documents import SUFFIXES, Document
from .hours import Hours
from .lexicon import Lexicon, lexicon
from .passages import Passage

KEY = "agent.knowledge"
MOST_FILES = 500
MOST_PASSAGES = 5000
TOKEN = re.compile(r"\d|[^\W\d_]{1,7}|[^\s\w]|_")
"""About what a language model reads as one: within 5 % of Qwen's, of sixteen businesses' English."""
HEADING = re.compile(r"^#+\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    business: str
    """The first heading, else the file's name."""
    text: str
    """All of it, as it was written."""
    hours: tuple[Hours, ...]
    """When it is open, and its parts, as far as that was written down."""
    passages: tuple[Passage, ...]
    lexicon: Lexicon
    problems: tuple[DocumentError, ...] = ()
    """Files of a folder that cannot be used; the others are."""


def load(path: Path) -> Facts:
    """Raises ConfigError where nothing can be read, or where it is too much."""
    read, problems = _documents(path)
    text = "\n\n".join(document.text for document in read).strip()
    cut = tuple(passage for document in read for passage in _passages(document))
    if len(cut) > MOST_PASSAGES:
        raise ConfigError([f"{KEY}: {path} holds {len(cut)} facts, more than {MOST_PASSAGES}"])
    heading = HEADING.search(text)
    return Facts(
        business=heading[1] if heading else path.stem,
        text=text,
        hours=tuple(hours.read(text)),
        passages=cut,
        lexicon=lexicon(text),
        problems=tuple(problems),
    )


def tokens(text: str) -> int:
    """About how many a language model makes of it."""
    return len(TOKEN.findall(text))


def files(path: Path) -> list[Path]:
    """Those that are read, in the order of their names: of a folder, what lies in it and below, but nothing hidden."""
    if not path.is_dir():
        return [path]
    below = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    return sorted(file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _documents(path: Path) -> tuple[list[Document], list[DocumentError]]:
    names = files(path)
    if not names or len(names) > MOST_FILES:
        count = f"more than {MOST_FILES} files" if names else f"no file ({', '.join(SUFFIXES)})"
        raise ConfigError([f"{KEY}: there is {count} in {path}"])
    read: list[Document] = []
    problems: list[DocumentError] = []
    for name in names:
        try:
            read.append(documents.read(name))
        except DocumentError as error:
            problems.append(error)
    if not read:
        raise ConfigError([f"{KEY}: {problem}" for problem in problems], mend=problems[0].mend)
    return read, problems


def _passages(document: Document) -> list[Passage]:
    if document.kind == "table":
        return passages.rows(document.text, document.name)
    return passages.cut(document.text, document.name)


def read_text(path: Path, key: str) -> str:
    """A UTF-8 text file; ConfigError names `key` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{key}: {path}: {error.strerror}"]) from error
    except UnicodeDecodeError:
        raise ConfigError([f"{key}: {path} is not UTF-8 text"]) from None
