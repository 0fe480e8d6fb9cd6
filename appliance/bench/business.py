"""A business to be a receptionist for: what its owner wrote, and what callers ask, with what would be right.

A folder with `knowledge.md` (or a folder `knowledge`; neither: the device's own) and `questions.toml`, a list of

    [[question]]
    ask = "Are you open now?"
    kind = "hours"                  # or `fact`, the usual; `unknown`: nobody wrote it down
    now = "2026-03-10T10:15"        # when it is asked; else it is now
    expect = ["yes"]                # a right reply matches one of these, whatever the case
    never = ["euros"]               # and none of these: of what is unknown, an invention
    file = "open.flac"              # the question as it was spoken, if it was
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from appliance.terms.errors import BadInput

Kind = Literal["fact", "hours", "unknown"]
KINDS: tuple[Kind, ...] = ("fact", "hours", "unknown")
ADMITS = re.compile(
    r"\b(?:do not|don't|does not|doesn't|not|cannot|can't|no) (?:\w+ ){0,3}(?:know|sure|have (?:that|this|any)"
    r"|information|say|mention|tell|certain|details?|aware)"
    r"|\bnot (?:\w+ ){0,2}(?:mentioned|listed|specified|provided|available)"
    r"|\b(?:take|leave|pass on) (?:a|your) message\b|\bI am not able\b|\bI'm sorry\b|\bunfortunately\b",
    re.IGNORECASE,
)
"""It says that it does not know, or offers help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    ask: str
    kind: Kind = "fact"
    now: datetime | None = None
    expect: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    file: Path | None = None

    def right(self, reply: str, written: Sequence[str] = ()) -> bool:
        """`written`: the owner's sentences. To quote one is no invention, but of what nobody wrote, no answer."""
        if self.kind == "unknown":
            return bool(ADMITS.search(reply)) and not self.invented(reply, written)
        return any(re.search(pattern, reply, re.IGNORECASE) for pattern in self.expect) and not self.invented(reply)

    def invented(self, reply: str, written: Sequence[str] = ()) -> bool:
        """Does the reply say what nobody wrote?"""
        for sentence in written:
            reply = reply.replace(sentence, "")
        return any(re.search(pattern, reply, re.IGNORECASE) for pattern in self.never)


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    name: str
    knowledge: Path | None
    """None: the device's own."""
    questions: tuple[Question, ...]


def load(folder: Path, *, spoken: bool = False) -> Business:
    """`spoken`: each question as somebody said it, in `spoken/`. Raises BadInput naming the file, the question and what
    is wrong with it."""
    listing = folder / "questions.toml"
    try:
        rows = tomllib.loads(listing.read_text(encoding="utf-8")).get("question", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{listing}: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{listing}: there is no [[question]] in it")
    questions = tuple(_question(folder, f"{listing}, question {number}", row) for number, row in enumerate(rows, 1))
    if spoken:
        questions = tuple(replace(one, file=one.file or _said(folder, one.ask)) for one in questions)
    places = (folder / "knowledge.md", folder / "knowledge")
    return Business(
        name=folder.resolve().name, knowledge=next((p for p in places if p.exists()), None), questions=questions
    )


def _said(folder: Path, ask: str) -> Path:
    path = sound_of(folder, ask)
    if not path.is_file():
        raise BadInput(f"{path}: nobody has said that", mend="Record it (FLAC, Opus or WAV), or leave out --spoken.")
    return path


def sound_of(folder: Path, ask: str) -> Path:
    """Where a business's question lies as it was spoken, if it was."""
    return folder / "spoken" / f"{'-'.join(re.findall('[a-z0-9]+', ask.lower()))[:80]}.ogg"


def _question(folder: Path, where: str, row: Any) -> Question:
    try:
        if unknown := set(row) - {"ask", "kind", "now", "expect", "never", "file"}:
            raise ValueError(f"{', '.join(sorted(unknown))} is not known")
        question = Question(
            ask=str(row["ask"]),
            kind=row.get("kind", "fact"),
            now=datetime.fromisoformat(row["now"]) if "now" in row else None,
            expect=tuple(row.get("expect", ())),
            never=tuple(row.get("never", ())),
            file=folder / row["file"] if "file" in row else None,
        )
        if question.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if not question.expect and question.kind != "unknown":
            raise ValueError("expect is missing")
        for pattern in (*question.expect, *question.never):
            re.compile(pattern)
    except KeyError as error:
        raise BadInput(f"{where}: {error.args[0]} is missing") from error
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise BadInput(f"{where}: {error}") from error
    return question
