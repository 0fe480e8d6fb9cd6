"""What a microphone, a loudspeaker and a button do when they are not as they say. Pure; each is fed and tells.

A microphone that is muted in its hardware delivers zeros; a cheap USB one counts 44,100 samples a second and calls them
48,000; a touch screen with a drop of water on it is touched all day.
"""

from __future__ import annotations

import math

from appliance.terms.units import Pcm, dbfs

SILENT_S = 3.0
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
SETTLE_S = 2.0
"""Sound systems hurry or dawdle as they start."""
MEASURE_S = 8.0
LIES = 0.02
"""No quartz is so wrong, 0.01 % is much; a lying device is off by 8 % or more."""
STUCK_S = 10.0
RELEASED_S = 0.7
"""Touches that are not so far apart are one."""
UNHEARD_S = 20.0
LOUD_DBFS = -40.0
RISES_DB = 1.5


class Silence:
    """Does the microphone deliver nothing but zeros? A quiet room is never so quiet."""

    def __init__(self) -> None:
        self.on = False
        self._since: float | None = None

    def feed(self, pcm: Pcm, now: float) -> bool:
        """(n,) int16. Has it changed?"""
        if pcm.any():
            changed, self.on, self._since = self.on, False, None
            return changed
        self._since = now if self._since is None else self._since
        if self.on or now - self._since < SILENT_S:
            return False
        self.on = True
        return True


class RealRate:
    """How many samples a second a device really has, by the clock."""

    def __init__(self, said: int) -> None:
        self._said = said
        self._opened: float | None = None
        self._since: float | None = None
        self._samples = 0
        self.lies = 0
        """The rate that it has instead; 0: the one it says, as far as is known."""

    def feed(self, samples: int, now: float) -> bool:
        """So many came, or went. Has `lies` been found out now?"""
        if self._opened is None:
            self._opened = now
        if self._since is None:
            if now - self._opened >= SETTLE_S:
                self._since, self._samples = now, 0
            return False
        self._samples += samples
        took = now - self._since
        if took < MEASURE_S:
            return False
        real, self._since = self._samples / took, None
        nearest = min(RATES, key=lambda rate: abs(math.log(rate / real))) if real else self._said
        if abs(real / self._said - 1) < LIES or abs(real / nearest - 1) > LIES or nearest == self._said:
            return False  # as it says, or nothing that a device has: a machine that was asleep
        self.lies = nearest
        return True


class Touch:
    """A tap, however often it is told; `stuck` while it does not end."""

    def __init__(self) -> None:
        self.stuck = False
        self._began = self._last = -math.inf

    def tap(self, now: float) -> bool:
        """Is it a new one?"""
        held, self._last = now - self._last < RELEASED_S, now
        if not held:
            self._began, self.stuck = now, False
            return True
        self.stuck = self.stuck or now - self._began >= STUCK_S
        return False

    def look(self, now: float) -> bool:
        """Has a stuck one ended?"""
        if not self.stuck or now - self._last < RELEASED_S:
            return False
        self.stuck = False
        return True


class Unheard:
    """Does the microphone notice when the loudspeaker plays? Where it does not, its volume may be at zero."""

    def __init__(self) -> None:
        self.on = False
        self._quiet_db: float | None = None
        self._loud: list[float] = []

    def feed(self, played: Pcm, heard: Pcm, seconds: float) -> bool:
        """The same moment of both sides, (n,) int16, of so many `seconds`. Has it changed?"""
        level = max(-96.0, dbfs(heard))
        if dbfs(played) < LOUD_DBFS:
            if not played.any():
                known = level if self._quiet_db is None else self._quiet_db
                self._quiet_db = known + 0.02 * (level - known)
            return False
        self._loud.append(level)
        if self._quiet_db is None or len(self._loud) * seconds < UNHEARD_S:
            return False
        loud, self._loud = sum(self._loud) / len(self._loud), []
        changed, self.on = self.on, loud - self._quiet_db < RISES_DB
        return changed != self.on
