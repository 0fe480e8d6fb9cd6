"""What the test callers say: committed sound files with the answers that would be right."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from appliance.terms.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    id: str
    file: Path
    text: str
    group: str
    """A turn: `question`, `human`, `breath` (a pause in it), `spelled` (several); over a reply: `barge`, `murmur`."""
    expect: tuple[str, ...]
    """Regular expressions; a right reply matches one of them."""

    def right(self, reply: str) -> bool:
        """Does the reply say what it should?"""
        return any(re.search(pattern, reply, re.IGNORECASE) for pattern in self.expect)


def default_folder() -> Path:
    """`benchmarks/utterances` of the checkout."""
    return Path(__file__).parents[2] / "benchmarks" / "utterances"


def load(folder: Path) -> list[Utterance]:
    """Raises BadInput where the list is missing or incomplete."""
    listing = folder / "utterances.toml"
    try:
        rows = tomllib.loads(listing.read_text(encoding="utf-8"))["utterance"]
        return [
            Utterance(
                id=row["id"],
                file=folder / row["file"],
                text=row["text"],
                group=row["group"],
                expect=tuple(row["expect"]),
            )
            for row in rows
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadInput(
            f"{listing}: {type(error).__name__}: {error}",
            mend="Run the benchmark in a checkout of the project, or name its folder with --utterances.",
        ) from error
