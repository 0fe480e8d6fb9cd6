"""What is heard in place of lost sound, where a codec knows no better: the voice's last period, repeated and fading.

After ITU-T G.711 Appendix I, without its delay. Pure.
"""

from __future__ import annotations

import numpy as np

from appliance.terms.units import FRAME_MS, Pcm

KEPT_S = 0.04
LOWEST_HZ, HIGHEST_HZ = 66, 400
MATCHED_S = 0.02
"""So much of the end of what was heard is looked for a period earlier."""
BLEND_S = 0.005
FADED_S = 0.06
"""A loss of this length ends in silence."""


class Concealer:
    """One stream's, at `rate` Hz: `heard` what came, `lost` for what did not."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._frame = rate * FRAME_MS // 1000
        self._kept = np.zeros(int(KEPT_S * rate), np.int16)
        self._period = np.zeros(0, np.int16)
        self._given = 0
        """Samples made up since the last packet."""

    def heard(self, pcm: Pcm) -> Pcm:
        """(n,) int16; the same, eased in after a loss."""
        if self._given:
            blend = min(len(pcm), int(BLEND_S * self._rate))
            rising = np.linspace(0.0, 1.0, blend, endpoint=False)
            made_up = self._made_up(blend)
            pcm = pcm.copy()
            pcm[:blend] = (pcm[:blend] * rising + made_up * (1.0 - rising)).astype(np.int16)
            self._given = 0
        self._kept = np.concatenate([self._kept, pcm])[-len(self._kept) :]
        return pcm

    def lost(self, samples: int = 0) -> Pcm:
        """So many, or 20 ms, as int16."""
        if not self._given:
            self._period = self._kept[-self._pitch() :]
        made_up = self._made_up(samples or self._frame)
        self._given += len(made_up)
        return made_up

    def _made_up(self, count: int) -> Pcm:
        at = self._given + np.arange(count)
        fading = np.clip(1.0 - at / (FADED_S * self._rate), 0.0, 1.0)
        made_up: Pcm = (self._period[at % len(self._period)] * fading).astype(np.int16)
        return made_up

    def _pitch(self) -> int:
        """The voice's period in samples: the lag at which what was heard last resembles what came before it most."""
        kept = self._kept.astype(np.float64)
        shortest, longest = self._rate // HIGHEST_HZ, self._rate // LOWEST_HZ
        matched = int(MATCHED_S * self._rate)
        end = kept[-matched:]
        windows = np.lib.stride_tricks.sliding_window_view(kept, matched)
        earlier = windows[len(windows) - 1 - longest : len(windows) - shortest]
        likeness = earlier @ end / (np.linalg.norm(earlier, axis=1) + 1.0)
        return longest - int(np.argmax(likeness))
