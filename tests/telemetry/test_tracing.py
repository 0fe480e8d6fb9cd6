"""Calls as traces, as a collector gets them over the wire."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from appliance.bench.sample import TURN
from appliance.telemetry.tracing import Tracing, exporter
from appliance.terms.errors import ConfigError
from appliance.terms.events import CallEnded, CallStarted, EngineChanged, Event, FillerSpoken

from .collector import Collector, attributes, collector

MODELS = {"stt": "whisper-tiny.en", "llm": "qwen2.5-0.5b", "tts": "joe"}
BEGAN = datetime(2026, 1, 31, 11, 59, 50, tzinfo=UTC)


async def told(*events: Event) -> Collector:
    """What a collector has of a call with these events, two seconds apart."""
    async with collector() as found:
        tracing = Tracing(exporter(found.url), device="lobby-1", version="0.1.0", models=MODELS)
        for number, event in enumerate(events):
            tracing.note(event, BEGAN + timedelta(seconds=2 * number))
        await asyncio.to_thread(tracing.stop)
    return found


def ms(span: Span) -> tuple[float, float]:
    """From the end of the sample's speech."""
    zero = datetime.fromisoformat(TURN.spoke_ts).timestamp() * 1e9
    return tuple(round((at - zero) / 1e6) for at in (span.start_time_unix_nano, span.end_time_unix_nano))  # type: ignore[return-value]


async def test_a_call_its_turns_and_their_stages_are_spans_of_one_trace() -> None:
    found = await told(
        CallStarted(call="a", door="sip", caller="+4930"),
        FillerSpoken(call="a", turn=1, text="One moment.", apology=False),
        TURN,
        CallEnded(call="a", door="sip", reason="hangup", duration_s=8.0, turns=1),
    )
    assert found.resource["service.name"] == "frontdesk"
    assert found.resource["service.instance.id"] == "lobby-1"
    (call,), (turn,) = found.named("call"), found.named("turn")
    assert {span.name for span in found.spans} == {"call", "turn", "stt", "chat qwen2.5-0.5b", "tts"}
    assert len({span.trace_id for span in found.spans}) == 1
    assert turn.parent_span_id == call.span_id
    stages = [span for span in found.spans if span.name not in ("call", "turn")]
    assert all(span.parent_span_id == turn.span_id for span in stages)
    assert (call.end_time_unix_nano - call.start_time_unix_nano) / 1e9 == 6
    assert [event.name for event in call.events] == ["filler"]
    assert call.status.code == Status.STATUS_CODE_OK
    assert ms(turn) == (0, 3000)
    assert {span.name: ms(span) for span in stages} == {
        "stt": (64, 200),
        "chat qwen2.5-0.5b": (200, 350),
        "tts": (350, 400),
    }


async def test_spans_say_what_the_conventions_have_words_for() -> None:
    found = await told(CallStarted(call="a", door="sip"), TURN)
    (chat,) = found.named("chat qwen2.5-0.5b")
    about = attributes(chat.attributes)
    assert about["gen_ai.operation.name"] == "chat"
    assert about["gen_ai.request.model"] == "qwen2.5-0.5b"
    assert about["gen_ai.usage.output_tokens"] == 12
    assert about["gen_ai.provider.name"] == "local"
    (turn,) = found.named("turn")
    about = attributes(turn.attributes)
    assert about["frontdesk.e2a_ms"] == 400.0
    assert about["frontdesk.network.rtt_ms"] == 20.0
    assert not found.named("call"), "it has not ended"


async def test_neither_words_nor_callers_are_in_them() -> None:
    secret = "my number is 4711"
    found = await told(
        CallStarted(call="a", door="sip", caller=secret),
        FillerSpoken(call="a", turn=1, text=secret, apology=True),
        replace(TURN, transcript=secret, reply=secret),
        CallEnded(call="a", door="sip", reason="lost", duration_s=8.0, turns=1),
    )
    assert len(found.spans) == 5
    assert b"4711" not in found.raw
    assert found.named("call")[0].status.code == Status.STATUS_CODE_ERROR


async def test_engines_that_die_are_events_of_the_calls_they_concern() -> None:
    found = await told(
        CallStarted(call="a", door="sip"),
        EngineChanged(engine="llm", ready=False, restarts=0, why="killed"),
        CallEnded(call="a", door="sip", reason="hangup", duration_s=8.0, turns=1),
    )
    (event,) = found.named("call")[0].events
    assert attributes(event.attributes) == {"frontdesk.engine": "llm", "frontdesk.ready": False}


async def test_a_collector_that_is_not_there_keeps_nobody_waiting() -> None:
    tracing = Tracing(exporter("http://127.0.0.1:9"), device="a", version="0", models=MODELS)
    began = time.perf_counter()
    for number in range(3000):
        tracing.note(CallStarted(call=str(number), door="sip"), BEGAN)
        tracing.note(replace(TURN, call=str(number)), BEGAN)
        tracing.note(CallEnded(call=str(number), door="sip", reason="hangup", duration_s=1.0, turns=1), BEGAN)
    assert time.perf_counter() - began < 10
    await asyncio.to_thread(tracing.stop)


@pytest.mark.parametrize("url", ["collector:4318", "grpc://collector", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"telemetry\.traces"):
        exporter(url)
