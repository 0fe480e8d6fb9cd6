"""What one turn's stages cost: where each was computed and why, and what left the device for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.terms.events import Egress, Route
from appliance.terms.units import ms

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    route: Route
    why: str | None
    egress: tuple[Egress, ...]
    predicted_ms: dict[str, float]
    wasted_hedges: int


@dataclass(slots=True)
class Ledger:
    """One call's; `settle` at each turn's end."""

    door: str = ""
    _by: dict[str, str] = field(default_factory=dict)
    _why: dict[str, str] = field(default_factory=dict)
    _egress: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _predicted: dict[str, float] = field(default_factory=dict)
    _wasted: int = 0

    def went(self, stage: str, by: str, why: str = "") -> None:
        """This is who computed it; of several, the last counts, but a provider's share in it is told."""
        self._by[stage] = by
        if by != LOCAL:
            self._why[stage] = why
        elif why:
            self._why.setdefault(stage, why)

    def by(self, stage: str) -> str:
        """Who computes it."""
        return self._by.get(stage, LOCAL)

    def sent(self, egress: Egress) -> None:
        key = egress.stage, egress.provider, egress.kind
        self._egress[key] = self._egress.get(key, 0) + egress.bytes

    def expected(self, stage: str, seconds: float | None) -> None:
        if seconds is not None:
            self._predicted[stage] = ms(seconds)

    def wasted(self) -> None:
        self._wasted += 1

    def pass_over(self) -> None:
        """It was no turn after all; what has left the device has left it."""
        self._by, self._why, self._predicted = {}, {}, {}

    def settle(self) -> Settled:
        """The turn's; and begin anew."""
        settled = Settled(
            route=Route(**self._by),
            why="; ".join(f"{stage}: {why}" for stage, why in self._why.items() if why) or None,
            egress=tuple(Egress(stage=s, provider=p, kind=k, bytes=n) for (s, p, k), n in self._egress.items()),  # type: ignore[arg-type]
            predicted_ms=self._predicted,
            wasted_hedges=self._wasted,
        )
        self._by, self._why, self._egress, self._predicted, self._wasted = {}, {}, {}, {}, 0
        return settled
