"""When a voice falls silent, told by its loudness: 60 ms sooner than silero, which fades for as long. Pure.

Only silence counts: 40 dB below how loud the speech was (a bang is none: a soft voice is heard after it). On a noisy
line nothing is so quiet, and silero alone tells.
"""

from __future__ import annotations

from appliance.terms.units import FRAME_MS, Pcm, dbfs

BELOW_DB = 40.0
FADES_DB = 0.1
"""How much of the loudness is forgotten with each frame: 5 dB a second."""
FLOOR_DB = -96.0
SILENT_DB = -70.0
"""Silence, whatever came before."""


class Hush:
    """One call's. `feed` every frame."""

    def __init__(self) -> None:
        self._loud_db = FLOOR_DB
        self._quiet_s = 0.0

    def feed(self, pcm: Pcm, *, speech: bool) -> float:
        """(n,) int16, and whether silero last heard speech; for how many seconds there has been silence."""
        level_db = dbfs(pcm)
        self._loud_db = max(level_db if speech else FLOOR_DB, self._loud_db - FADES_DB)
        silent = level_db < max(self._loud_db - BELOW_DB, SILENT_DB)
        self._quiet_s = self._quiet_s + FRAME_MS / 1000 if silent else 0.0
        return self._quiet_s
