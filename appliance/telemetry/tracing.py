"""Calls as OpenTelemetry traces: a span for the call, one for each turn, and one for each stage of it.

Where OpenTelemetry's semantic conventions for generative AI have a name for something, it has that name. No words and
no caller are in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from appliance.terms.errors import ConfigError
from appliance.terms.events import CallEnded, CallStarted, EngineChanged, Event, FillerSpoken, Overlap, TurnEnded

PATH = "/v1/traces"
WITHIN_S = 5.0
MOST_CALLS = 200
PARTS = ("e2a_ms", "endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms", "filler_ms", "barge_in_ms")
FACTS = ("speculated", "speculations", "hidden_ms", "wasted_tokens", "murmurs", "cut_in", "interrupted")
FAILED = ("lost", "device stopped")


def exporter(url: str) -> SpanExporter:
    """To a collector that takes OTLP over HTTP. Raises ConfigError."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError([f"telemetry.traces = {url!r}: it must begin with http:// or https://"])
    return OTLPSpanExporter(endpoint=url.rstrip("/") + PATH, timeout=WITHIN_S)


class Tracing:
    """Fed with every event. Spans wait in a bounded queue (2048) for a thread that exports them; more are dropped."""

    def __init__(self, exporter: SpanExporter, *, device: str, version: str, models: Mapping[str, str]) -> None:
        """`models`: the names of what runs as `stt`, `llm` and `tts`."""
        about = {"service.name": "frontdesk", "service.version": version, "service.instance.id": device}
        self._provider = TracerProvider(resource=Resource.create(about))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("frontdesk", version)
        self._models = models
        self._calls: dict[str, Span] = {}

    def note(self, event: Event, now: datetime) -> None:
        match event:
            case CallStarted():
                self._begin(event, _ns(now))
            case TurnEnded():
                self._turn(event)
            case Overlap() | FillerSpoken() if event.call in self._calls:
                name = "overlap" if isinstance(event, Overlap) else "filler"
                self._calls[event.call].add_event(name, {"frontdesk.turn": event.turn}, _ns(now))
            case CallEnded() if event.call in self._calls:
                span = self._calls.pop(event.call)
                span.set_attribute("frontdesk.reason", event.reason)
                span.set_status(Status(StatusCode.ERROR if event.reason in FAILED else StatusCode.OK))
                span.end(_ns(now))
            case EngineChanged():
                for span in self._calls.values():
                    about = {"engine": event.engine, "ready": event.ready}
                    span.add_event("engine", _ours(about), _ns(now))

    def stop(self) -> None:
        """Sends what waits. Takes some seconds where nobody answers."""
        self._provider.shutdown()

    def _begin(self, event: CallStarted, at: int) -> None:
        if len(self._calls) >= MOST_CALLS or event.call in self._calls:
            return
        about = {"call": event.call, "door": event.door, "resumed": event.resumed}
        self._calls[event.call] = self._tracer.start_span(
            "call", kind=SpanKind.SERVER, attributes=_ours(about), start_time=at
        )

    def _turn(self, turn: TurnEnded) -> None:
        zero = _ns(datetime.fromisoformat(turn.spoke_ts))
        parent = trace.set_span_in_context(self._calls[turn.call]) if turn.call in self._calls else None
        first = min([0.0, *(stage.start_ms for stage in turn.stages.values())])
        span = self._tracer.start_span(
            "turn", parent, attributes=_about(turn), start_time=zero + round(first * 1e6), record_exception=False
        )
        inside = trace.set_span_in_context(span)
        for name, stage in turn.stages.items():
            start, end = (zero + round(ms * 1e6) for ms in (stage.start_ms, stage.end_ms))
            title = f"chat {self._models['llm']}" if name == "llm" else name
            part = self._tracer.start_span(title, inside, attributes=self._stage(name, turn), start_time=start)
            part.end(max(start, end))
        span.end(_ns(datetime.fromisoformat(turn.ts)))

    def _stage(self, name: str, turn: TurnEnded) -> dict[str, Any]:
        about: dict[str, Any] = {"frontdesk.stage": name}
        if name in self._models:
            about |= {"gen_ai.request.model": self._models[name], "gen_ai.provider.name": getattr(turn.route, name)}
        if name == "llm":
            about |= {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": turn.llm_tokens}
            about |= {"gen_ai.conversation.id": turn.call}
        if name == "stt":
            about["frontdesk.audio_s"] = turn.stt_audio_s
        return about


def _about(turn: TurnEnded) -> dict[str, Any]:
    values = {name: getattr(turn, name) for name in (*PARTS, *FACTS)}
    values |= {f"network.{name}": value for name, value in (asdict(turn.network) if turn.network else {}).items()}
    values |= {"turn": turn.turn, "door": turn.door}
    return _ours(values)


def _ours(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"frontdesk.{name}": value for name, value in values.items() if value is not None}


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000
