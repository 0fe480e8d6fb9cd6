"""What the owner wrote, cut into passages: each can be found by itself, and read aloud as it stands. Pure.

the owner writes                                          passages
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
- Parking: in the yard. The entrance is on Mill Lane.     a list's item is one
Check-in is from 3 pm. A late check-out costs 25 francs.  in running text, each sentence is one …
The manager is Maria Lopez. She is in room 3.             … with those that only go on from it
Q: Do you take cards?  A: Yes, all of them.               the answer, with the question it is for
## Do you take cards?                                     … also where the question is a heading
Parking: in the yard                                      a line with a label is one
| cut | price |   and CSV                                 a row is one: "Short hair: price 40 euros."
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
ITEM = re.compile(r"^\s*(?:[-*•·–+]|\d{1,2}[.)])\s+")
QUESTION = re.compile(r"^\W*(?:Q|Question)\s*[:.]\s*(.+)$", re.IGNORECASE)
ANSWER = re.compile(r"^\W*(?:A|Answer)\s*[:.]\s*(.*)$", re.IGNORECASE)
LABEL = re.compile(r"^[A-Z][\w'’&/ -]{0,30}:\s")
"""`Parking: in the yard`, a line of its own."""
ASKS = re.compile(r"^[A-Z].{2,120}\?$")
ROW = re.compile(r"^\s*\|(.+)\|\s*$")
RULE = re.compile(r"^\s*\|?[\s:|-]*-[\s:|-]*\|?\s*$")
SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bNo\.)(?<!\ba\.m\.)(?<!\bp\.m\.)(?<!\be\.g\.)"
    r"\s+(?=[A-Z0-9\"'(])"
)
GOES_ON = re.compile(
    r"^(?:(?:he|she|it|they|his|her|its|their|this|that|these|those|both|each|then|also|otherwise|later)\b"
    r"|there\b(?!\s+(?:is|are|will)\b))",
    re.IGNORECASE,
)
"""A sentence that begins so means something of the one before."""
ITEM_WORDS = 45
"""A longer item of a list is cut like running text."""
PASSAGE_WORDS = 60
MARKUP = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ASKED_COLUMNS = ("question", "asked")
ANSWER_COLUMNS = ("answer", "reply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    text: str
    """Whole sentences, without markup."""
    heading: str = ""
    """What it stands under."""
    place: str = ""
    """Where it was written: `prices.md:12`."""
    asked: str = ""
    """The question to which the owner wrote this as the answer."""


def cut(text: str, name: str) -> list[Passage]:
    """The passages of a text (Markdown or plain); `name` is the file's."""
    found: list[Passage] = []
    heading = asked = ""
    for block in _blocks(text):
        words, place = block.text, f"{name}:{block.line_at(0)}"
        if title := HEADING.match(words):
            heading, asked = title[1], ""
            continue
        if question := QUESTION.match(words):
            words, asked = _answer_and_question(question[1])
            if not words:
                continue
        elif ASKS.match(words):
            asked = words
            continue
        elif answer := ANSWER.match(words):
            words = answer[1]
        of = asked or (heading if heading.endswith("?") else "")
        if of:
            found.append(Passage(text=_sentence(ITEM.sub("", words)), heading=heading, place=place, asked=of))
            asked = ""
        else:
            found += [
                Passage(text=_sentence(piece), heading=heading, place=f"{name}:{block.line_at(words.find(piece))}")
                for piece in _pieces(words)
            ]
    return [passage for passage in found if any(letter.isalnum() for letter in passage.text)]


def rows(text: str, name: str) -> list[Passage]:
    """The passages of a CSV file: one a row, under the names of the first."""
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.reader(io.StringIO(text), dialect)
    names = [_plain(cell) for cell in next(reader, [])]
    return [passage for cells in reader if (passage := _row(names, cells, f"{name}:{reader.line_num}")) is not None]


@dataclass(slots=True)
class _Block:
    """A heading, an item, a row of a table or a paragraph, without markup."""

    text: str = ""
    lines: list[tuple[int, int]] = field(default_factory=list)
    """Where in the text each of its lines begins, and that line's number."""

    def add(self, line: str, number: int) -> None:
        self.lines.append((len(self.text) + bool(self.text), number))
        self.text = f"{self.text} {line}".strip()

    def line_at(self, offset: int) -> int:
        return max((number for start, number in self.lines if start <= offset), default=self.lines[0][1])


def _blocks(text: str) -> Iterator[_Block]:
    waiting = _Block()
    first = ""
    columns: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = _plain(raw)
        row = ROW.match(raw)
        alone = any(form.match(line) for form in (HEADING, QUESTION, ANSWER, LABEL, ITEM))
        ended = LABEL.match(first) or ASKS.match(waiting.text)
        if waiting.text and (not line or row or alone or ended):
            yield waiting
            waiting = _Block()
        if row and not RULE.match(raw):
            cells = [cell.strip() for cell in row[1].split("|")]
            if not columns:
                columns = cells
            elif (passage := _row(columns, cells, "")) is not None:
                waiting.add(f"- {passage.text}", number)
                yield waiting
                waiting = _Block()
            continue
        if not row:
            columns = []
        if line and not RULE.match(raw):
            first = first if waiting.text else line
            waiting.add(line, number)
            if HEADING.match(line):
                yield waiting
                waiting = _Block()
    if waiting.text:
        yield waiting


def _pieces(words: str) -> list[str]:
    """An item whole; running text by sentences."""
    plain = ITEM.sub("", words)
    item = ITEM.match(words) or LABEL.match(plain)
    if item and len(plain.split()) <= ITEM_WORDS:
        return [plain]
    pieces: list[str] = []
    for sentence in SENTENCE.split(plain):
        if pieces and GOES_ON.match(sentence) and len(f"{pieces[-1]} {sentence}".split()) <= PASSAGE_WORDS:
            pieces[-1] += f" {sentence}"
        else:
            pieces.append(sentence)
    return pieces


def _row(names: list[str], cells: list[str], place: str) -> Passage | None:
    cells = [_plain(cell) for cell in cells]
    told = dict(zip([name.lower() for name in names], cells, strict=False))
    asked = next((told[name] for name in ASKED_COLUMNS if told.get(name)), "")
    answer = next((told[name] for name in ANSWER_COLUMNS if told.get(name)), "")
    if asked and answer:
        return Passage(text=_sentence(answer), place=place, asked=asked)
    if not cells or not cells[0]:
        return None
    rest = [f"{name} {cell}".strip() for name, cell in zip(names[1:], cells[1:], strict=False) if cell]
    return Passage(text=_sentence(f"{cells[0]}: {', '.join(rest)}" if rest else cells[0]), place=place)


def _answer_and_question(text: str) -> tuple[str, str]:
    """Of `Do you take cards? A: Yes.` the answer and the question."""
    question, _, answer = text.partition(" A: ")
    return answer.strip(), question.strip()


def _plain(text: str) -> str:
    return " ".join(MARKUP.sub("", LINK.sub(r"\1", text)).split())


def _sentence(text: str) -> str:
    """With a full stop, as a voice needs it."""
    return text if not text or text.endswith((".", "!", "?", "…", ":")) else f"{text}."
