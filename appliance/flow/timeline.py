"""When a turn's steps were done, and which of them the caller waited for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from appliance.terms.events import Span
from appliance.terms.units import ms

PARTS = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Seconds of one monotonic clock; None for what has not happened.

    `spoke_until` is when the caller's last speech frame arrived, `handed` when the first voiced frame of the reply went
    to the door.
    """

    spoke_until: float
    decided: float | None = None
    transcript: float | None = None
    clause: float | None = None
    pcm: float | None = None
    handed: float | None = None
    filler: float | None = None
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def parts(self) -> dict[str, float | None]:
        """`e2a_ms` and its five parts, in ms; they sum to it. All null where no reply was heard.

        Each instant belongs to the earliest thing still unfinished, in the order of PARTS; what was finished before the
        one in front of it counts 0.
        """
        done = (self.decided, self.transcript, self.clause, self.pcm, self.handed)
        if self.handed is None:
            return {"e2a_ms": None, **dict.fromkeys(PARTS)}
        bounds = [self.spoke_until]
        for moment in done:
            bounds.append(bounds[-1] if moment is None else min(max(bounds[-1], moment), self.handed))
        bounds[-1] = max(self.handed, self.spoke_until)
        parts = [ms(b - a) for a, b in pairwise(bounds)]
        return {"e2a_ms": round(sum(parts), 1), **dict(zip(PARTS, parts, strict=True))}

    def stages(self) -> dict[str, Span]:
        """Each engine's work, counted from the caller's last speech frame."""
        return {
            stage: Span(start_ms=self.since(start), end_ms=self.since(self.ended.get(stage, start)))
            for stage, start in self.began.items()
        }

    def took(self, stage: str) -> float | None:
        """How long an engine worked on the turn, in seconds; None where it did not, or has not finished."""
        began, ended = self.began.get(stage), self.ended.get(stage)
        return None if began is None or ended is None else ended - began

    def hidden_ms(self) -> float:
        """How long the engines had already worked on the reply when the turn was decided to be over."""
        if self.decided is None or not self.began:
            return 0.0
        finished = max([self.decided, *self.ended.values()]) if self.pcm is None else self.pcm
        return ms(max(0.0, min(self.decided, finished) - min(self.began.values())))

    def was_speculated(self) -> bool:
        """Did the language model begin before the turn was known to be over?"""
        return self.decided is not None and self.began.get("llm", self.decided) < self.decided

    def since(self, moment: float) -> float:
        """A moment in ms after the caller's last speech frame."""
        return ms(moment - self.spoke_until)
