"""An owner's file as text: Markdown, plain text, CSV or PDF."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from appliance.terms.errors import DocumentError

SUFFIXES = (".md", ".markdown", ".txt", ".csv", ".pdf")
MOST_BYTES = 16 * 1024 * 1024
MOST_TEXT = 4 * 1024 * 1024
MOST_PAGES = 1000
SHORTER = "Leave out what nobody asks."
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How an editor marks the encoding of what it saves."""
BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


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
        text = _pdf(path) if suffix == ".pdf" else _decoded(path)
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


def _pdf(path: Path) -> str:
    """Its pages' text; a paragraph's lines are put together by whoever cuts it."""
    try:
        pages = PdfReader(path).pages
        if len(pages) > MOST_PAGES:
            raise DocumentError(f"{path} has {len(pages)} pages, more than {MOST_PAGES}", mend=SHORTER)
        text = "\n\n".join(page.extract_text() for page in pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # pypdf meets damaged files with any of these
        raise DocumentError(f"{path} is no PDF that can be read: {error}", mend="Save it anew, or as text.") from error
    if not text.strip():
        raise DocumentError(f"{path} has no text in it, only pictures", mend="Write what matters into a text file.")
    return BROKEN_WORD.sub("", text)
