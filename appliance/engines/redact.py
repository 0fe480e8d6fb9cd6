"""Numbers, addresses and names that callers say of themselves, taken out of text that leaves and put back. Pure.

What is taken out has a placeholder by which a model can still speak of it: `[number 1]`, `[name 1]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .contracts import Message

PATTERNS = {
    "address": re.compile(r"\b[\w.+-]+@(?:[\w-]+\.)+\w+\b|\b[\w.+-]+ at [\w-]+ dot \w+\b", re.IGNORECASE),
    "number": re.compile(r"(?<![\w.])\+?\d(?:[ ./-]?\d){2,}(?!\w)"),
    "name": re.compile(
        r"(?:\b(?:[Mm]y name is|I am|I'm|[Tt]his is|[Ii]t's|[Cc]all me|[Mm]r\.?|[Mm]rs\.?|[Mm]s\.?|[Dd]r\.?) )"
        r"((?:[A-Z][\w'’-]+)(?: [A-Z][\w'’-]+){0,2})"
    ),
}
PLACEHOLDER = re.compile(r"\[(?:address|number|name) \d+\]")


class Redaction:
    """One call's: the same thing has the same placeholder throughout."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._held = ""

    def hide(self, messages: Sequence[Message]) -> list[Message]:
        """Of callers and the agent; what the owner wrote stays as it is."""
        return [m if m.role == "system" else Message(m.role, self.text(m.text)) for m in messages]

    def text(self, text: str) -> str:
        for known, placeholder in self._of.items():
            text = text.replace(known, placeholder)
        for kind, pattern in PATTERNS.items():
            for match in reversed(list(pattern.finditer(text))):
                group = match.lastindex or 0
                found = match[group]
                if PLACEHOLDER.search(found):
                    continue
                number = 1 + sum(p.startswith(f"[{kind} ") for p in self._of.values())
                placeholder = self._of.setdefault(found, f"[{kind} {number}]")
                text = text[: match.start(group)] + placeholder + text[match.end(group) :]
        return text

    def show(self, piece: str) -> str:
        """A piece of an answer with what the placeholders stand for; one that is not whole yet waits for the next."""
        text, self._held = self._held + piece, ""
        cut = text.rfind("[")
        if cut >= 0 and "]" not in text[cut:] and len(text) - cut < 16:
            text, self._held = text[:cut], text[cut:]
        for known, placeholder in self._of.items():
            text = text.replace(placeholder, known)
        return text

    def rest(self) -> str:
        """What still waits, at the answer's end."""
        held, self._held = self._held, ""
        return held
