"""What may leave the device: decided here, and nowhere else. Pure.

a stage   needs, to be computed elsewhere
─────────────────────────────────────────
stt       sound
llm       text (the conversation)
tts       text (the reply)
turn      sound, and text (the conversation so far)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from appliance.terms.config import Allowed
from appliance.terms.errors import ConfigError

Kind = Literal["text", "audio"]
NEEDS: dict[str, Kind] = {"stt": "audio", "llm": "text", "tts": "text", "turn": "audio"}
RANKS = {"none": 0, "text": 1, "audio": 2}
DOORS = ("webrtc", "sip", "kiosk", "file", "canary")


class Gate:
    """`cloud.allow`, and where a stage, a door or both have a word of their own, that."""

    def __init__(self, allow: Allowed, allow_by: Mapping[str, Allowed]) -> None:
        """Raises ConfigError for a stage or door that is none."""
        self._allow = allow
        self._by = allow_by
        known = {*NEEDS, *DOORS, *(f"{door}.{stage}" for door in DOORS for stage in NEEDS)}
        if unknown := sorted(set(allow_by) - known):
            stages, doors = ", ".join(NEEDS), ", ".join(DOORS)
            raise ConfigError(
                [f"cloud.allow_by: {key} is no stage ({stages}), door ({doors}), or both" for key in unknown]
            )

    def may(self, stage: str, door: str) -> bool:
        """May what this stage needs leave, of a call by this door? Where stage and door disagree, less is allowed."""
        nearest = self._by.get(f"{door}.{stage}")
        if nearest is None:
            said = [RANKS[self._by[name]] for name in (stage, door) if name in self._by]
            return min(said, default=RANKS[self._allow]) >= RANKS[NEEDS[stage]]
        return RANKS[nearest] >= RANKS[NEEDS[stage]]
