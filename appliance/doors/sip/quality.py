"""A phone line's quality, from what baresip's RTCP reports tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.terms.events import Network
from appliance.terms.units import FRAME_MS


class Quality:
    """Of one call; fed with every report (baresip's `CallStats`)."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._last: dict[str, float] = {}

    def measure(self, report: Mapping[str, Any], now: float, *, dropped: int) -> Network:
        """`now`: seconds of a monotonic clock; `dropped`: frames that nobody took in time."""
        elapsed_s = now - self._at if self._at is not None else float(report["duration_s"])
        self._at = now
        gained = {key: self._gained(key, report) for key in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")}
        lost_in, lost_out = self._gained("rx_lost", report), self._gained("tx_lost", report)
        rtt_ms, jitter_ms = float(report["rtt_ms"]), float(report["rx_jitter_ms"])
        return Network(
            rtt_ms=round(rtt_ms, 1),
            jitter_ms=round(jitter_ms, 1),
            loss_in=_share(lost_in, gained["rx_packets"] + lost_in),
            loss_out=_share(lost_out, gained["tx_packets"]),
            buffer_ms=report.get("jbuf_delay_ms"),
            bitrate=_rate(gained["rx_bytes"], elapsed_s),
            bitrate_out=_rate(gained["tx_bytes"], elapsed_s),
            lost=int(report["rx_lost"]),
            late=report.get("jbuf_late"),
            refused=dropped + int(report["rx_errors"]),
            mouth_to_ear_ms=round(rtt_ms / 2 + FRAME_MS + float(report.get("jbuf_delay_ms") or jitter_ms), 1),
        )

    def _gained(self, key: str, report: Mapping[str, Any]) -> float:
        value = float(report[key])
        before, self._last[key] = self._last.get(key, 0.0), value
        return max(0.0, value - before)


def _share(part: float, whole: float) -> float:
    return round(min(1.0, part / whole), 4) if whole > 0 else 0.0


def _rate(size: float, elapsed_s: float) -> float | None:
    return round(size * 8 / elapsed_s) if elapsed_s > 0 else None
