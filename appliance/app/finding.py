"""One line of `frontdesk check`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    what: str
    good: bool
    found: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
