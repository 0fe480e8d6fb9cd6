"""How many bits our sound is sent with and how much of it is repeated, from what RTCP tells of its loss. Pure.

Loss beyond what repetition mends is taken for a network that is full: fewer bits, by a sixth a report, down to what a
voice needs. While little is lost, they come back slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_BITS, MOST_BITS = 12_000, 32_000
"""A second."""
FULL, CLEAR = 0.1, 0.03
"""The share that is lost from which bits are taken, and up to which they come back."""
LESS, MORE = 5 / 6, 1_500
SMOOTH = 0.5
LEAST_LOSS, MOST_LOSS = 10, 30
"""Percent that Opus is told to expect. At fewer than 10 it repeats nothing, and the first lost packet is a hole."""
AMPLE = 1.5
"""Losses come in bursts: so many times as much is expected as was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """`expected_loss` in percent."""

    bits_per_s: int = MOST_BITS
    expected_loss: int = LEAST_LOSS


class Adapter:
    """One caller's. `report` what each of their receiver reports says."""

    def __init__(self) -> None:
        self._bits = float(MOST_BITS)
        self._loss = 0.0

    def report(self, loss: float) -> Sending:
        """The share of our packets that was lost since the last report, 0 to 1."""
        self._loss += SMOOTH * (min(1.0, max(0.0, loss)) - self._loss)
        if self._loss > FULL:
            self._bits = max(LEAST_BITS, self._bits * LESS)
        elif self._loss <= CLEAR:
            self._bits = min(MOST_BITS, self._bits + MORE)
        expected = round(100 * AMPLE * self._loss)
        return Sending(bits_per_s=int(self._bits), expected_loss=min(MOST_LOSS, max(LEAST_LOSS, expected)))
