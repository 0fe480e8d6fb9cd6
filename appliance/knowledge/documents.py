"""An owner's file as text: Markdown, plain text, CSV or PDF."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.terms.errors import DocumentError

from . import pdf

SUFFIXES = (".md", ".markdown", ".txt", ".csv", ".pdf")
MOST_BYTES = 16 * 1024 * 1024
MOST_TEXT = 4 * 1024 * 1024
SHORTER = "Leave out what nobody asks."
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How an editor marks the encoding of what it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    name: str
    kind: Literal["prose", "table"]
    text: str


def read(path: Path) -> Document:
    """Raises DocumentError that names the file, and what to do about it."""
    suffix = path.suffix.lower()
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise DocumentError(
                f"{path} has {size // 2**20} MB, more than {MOST_BYTES // 2**20}",
                mend=SHORTER,
            )
        text = pdf.text(path) if suffix == ".pdf" else _decoded(path)
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror or error}") from error
    if len(text) > MOST_TEXT:
        raise DocumentError(f"{path} holds more than {MOST_TEXT // 2**20} million letters", mend=SHORTER)
    return Document(name=path.name, kind="table" if suffix == ".csv" else "prose", text=text)


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{path} is not UTF-8 text (its byte {error.start} is {raw[error.start]:#04x})",
            mend="Open it in a text editor and save it as UTF-8.",
        ) from None
    if "\0" in text:
        raise DocumentError(f"{path} is no text: there are zeros in it", mend="Save it as text, in UTF-8.")
    return text
