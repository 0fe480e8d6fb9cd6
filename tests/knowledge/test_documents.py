"""An owner's file as text."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from appliance.knowledge.documents import MOST_BYTES, MOST_TEXT, read
from appliance.terms.errors import DocumentError


def pdf(content: str) -> bytes:
    """A page with that drawn on it."""
    writer = PdfWriter()
    page = writer.add_blank_page(300, 200)
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(content.encode())
    page[NameObject("/Contents")] = writer._add_object(stream)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


@pytest.mark.parametrize(("name", "kind"), [("a.md", "prose"), ("a.TXT", "prose"), ("a.csv", "table")])
def test_a_table_is_told_from_prose(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("The café is open.", encoding="utf-8")
    document = read(tmp_path / name)
    assert (document.name, document.kind, document.text) == (name, kind, "The café is open.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_an_editor_marks_is_understood(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("The café is open.", encoding=encoding)
    assert read(tmp_path / "a.txt").text == "The café is open."


def test_a_pdf_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("BT /F 12 Tf 20 100 Td (A check-up costs 45 pounds.) Tj ET"))
    assert read(tmp_path / "a.pdf").text.strip() == "A check-up costs 45 pounds."


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("latin.txt", b"caf\xe9", "not UTF-8 text.*byte 3 is 0xe9"),
        ("photo.md", b"\xff\xd8\xff\xe0\x00\x10JFIF", "not UTF-8"),
        ("zeros.txt", b"a\0b\0", "zeros"),
        ("odd.txt", b"\xff\xfea", "not UTF-8 text"),
        ("broken.pdf", b"%PDF-1.4\nnonsense", "no PDF that can be read"),
        ("empty.pdf", b"", "no PDF that can be read"),
        ("scan.pdf", pdf(""), "only pictures"),
        ("long.txt", b"a" * (MOST_TEXT + 1), "more than 4 million letters"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_mend(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=problem) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert caught.value.mend


def test_a_huge_file_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert MOST_BYTES < 100 * 1024 * 1024
    with pytest.raises(DocumentError, match="has 100 MB, more than 16"):
        read(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file"):
        read(tmp_path / "gone.md")
