"""A turn as they are, for benchmarks and tests that need one."""

from __future__ import annotations

from appliance.terms.events import Network, Route, Span, TurnEnded

TURN = TurnEnded(
    call="a",
    door="sip",
    turn=1,
    ts="2026-01-31T12:00:03.000Z",
    spoke_ts="2026-01-31T12:00:00.000Z",
    transcript="Where can I park my car?",
    reply="In the yard behind the building.",
    source=None,
    interrupted=False,
    e2a_ms=400.0,
    endpoint_ms=300.0,
    stt_ms=0.0,
    llm_ms=50.0,
    tts_ms=50.0,
    playout_ms=0.0,
    filler_ms=None,
    stages={
        "stt": Span(start_ms=64.0, end_ms=200.0),
        "llm": Span(start_ms=200.0, end_ms=350.0),
        "tts": Span(start_ms=350.0, end_ms=400.0),
    },
    speculated="committed",
    speculations=1,
    hidden_ms=200.0,
    wasted_tokens=0,
    barge_in_ms=None,
    murmurs=0,
    cut_in=False,
    stt_audio_s=2.0,
    llm_tokens=12,
    llm_tok_s=50.0,
    route=Route(),
    why=None,
    egress=(),
    predicted_ms={},
    wasted_hedges=0,
    network=Network(rtt_ms=20.0, jitter_ms=2.0, loss_in=0.01, loss_out=0.0, buffer_ms=10.0, bitrate=24_000.0),
)
