"""What a turn's event will tell, gathered while the turn lasts."""

from __future__ import annotations

from datetime import timedelta

from appliance.engines.ledger import Ledger
from appliance.terms.clock import Clock, rfc3339
from appliance.terms.events import TurnEnded
from appliance.terms.line import Line

from .reply import Reply


class Account:
    """One call's. Counts from one turn's end to the next one's."""

    def __init__(self, line: Line, clock: Clock, ledger: Ledger) -> None:
        self._line = line
        self._ledger = ledger
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self._ledger.pass_over()
        self.speculations = 0
        self.wasted_tokens = 0
        self.murmurs = 0
        self.silent_ms = 0.0
        """From the first sound over a reply to its silence; 0 where there was none."""

    def turn(self, number: int, reply: Reply, heard: str, *, interrupted: bool, cut_in: bool) -> TurnEnded:
        """The event; and begin anew."""
        timeline, settled = reply.timeline, self._ledger.settle()
        now, utc = self._clock.now(), self._clock.utc()
        event = TurnEnded(
            call=self._line.call,
            door=self._line.door,
            turn=number,
            ts=rfc3339(utc),
            spoke_ts=rfc3339(utc - timedelta(seconds=now - timeline.spoke_until)),
            transcript=reply.transcript or "",
            reply=heard,
            source=reply.source or None,
            interrupted=interrupted,
            **timeline.parts(),
            filler_ms=timeline.since(timeline.filler) if timeline.filler is not None else None,
            stages=timeline.stages(),
            speculated="committed" if timeline.was_speculated() else "none",
            speculations=self.speculations,
            hidden_ms=timeline.hidden_ms(),
            wasted_tokens=self.wasted_tokens,
            barge_in_ms=self.silent_ms if interrupted and self.silent_ms else None,
            murmurs=self.murmurs,
            cut_in=cut_in,
            stt_audio_s=round(reply.audio_s, 3),
            llm_tokens=reply.tokens,
            llm_tok_s=reply.tok_s,
            route=settled.route,
            why=settled.why,
            egress=settled.egress,
            predicted_ms=settled.predicted_ms,
            wasted_hedges=settled.wasted_hedges,
            network=self._line.network,
        )
        self.clear()
        return event
