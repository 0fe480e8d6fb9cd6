"""`GET /metrics`: the device's figures for Prometheus. No words, no caller, no call is in them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from appliance.terms.events import (
    AccountChanged,
    CallEnded,
    CallPlaced,
    CallRefused,
    CallStarted,
    CallTransferred,
    EngineChanged,
    Event,
    FillerSpoken,
    Network,
    NetworkMeasured,
    ProviderChanged,
    SoundDeviceChanged,
    SourceBanned,
    TurnEnded,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TURN_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.9, 1.2, 1.5, 2, 3, 5, 10)
"""A voice's buckets: from what nobody notices to what nobody waits for."""
NETWORK_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2)
LOSS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.15, 0.3)
PARTS = ("e2a", "endpoint", "stt", "llm", "tts", "playout")
SETTLED = ("answered", "busy", "declined", "no answer", "failed", "message left")
GAUGES = {
    "cpu": ("frontdesk_host_cpu_ratio", "Share of all cores that was busy since the last scrape", 1),
    "memory_free_mb": ("frontdesk_host_memory_free_bytes", "Memory that programs can have", 1e6),
    "disk_free_mb": ("frontdesk_host_disk_free_bytes", "Of the disk with the device's state", 1e6),
    "temperature_c": ("frontdesk_host_temperature_celsius", "The hottest of its sensors", 1),
    "throttled": ("frontdesk_host_throttled", "1 while it runs slower, from heat or want of power", 1),
    "certificate_days": ("frontdesk_certificate_remaining_seconds", "Until the page's certificate ends", 86_400),
    "events_waiting": ("frontdesk_events_waiting", "Events that the broker does not have yet", 1),
    "events_dropped": ("frontdesk_events_dropped", "Events neither sent nor kept since the start", 1),
    "records_dropped": ("frontdesk_records_dropped", "Lines and calls that the disk did not take", 1),
    "muted": ("frontdesk_muted", "1 while the agent hears nobody", 1),
}
"""What is looked at when somebody asks: name in the state, name here, help, factor."""
PACKETS = ("lost", "recovered", "late", "refused")


class Metrics:
    """`note` every event; `owner_only` keeps everybody else out. `look` is asked, on a thread, for the GAUGES."""

    def __init__(
        self, owner_only: Callable[[Handler], Handler], look: Callable[[], Mapping[str, Any]] = lambda: {}
    ) -> None:
        self._owner_only = owner_only
        self._look = look
        self._registry = registry = CollectorRegistry()
        self._active = Gauge("frontdesk_calls_active", "Calls at the moment", ["door"], registry=registry)
        self._calls = Counter("frontdesk_calls", "Calls that ended", ["door", "reason"], registry=registry)
        self._turns = Counter("frontdesk_turns", "Turns that ended", ["door", "interrupted"], registry=registry)
        self._parts = Histogram(
            "frontdesk_turn_seconds",
            "End of speech to reply (e2a), and the parts of it",
            ["part"],
            buckets=TURN_S,
            registry=registry,
        )
        self._stages = Counter(
            "frontdesk_stages", "Stages of turns, by who computed them", ["stage", "by"], registry=registry
        )
        self._egress = Counter(
            "frontdesk_egress_bytes", "What left the device for a provider", ["provider", "kind"], registry=registry
        )
        self._hedges = Counter("frontdesk_wasted_hedges", "Providers' answers not needed", registry=registry)
        self._providers = Gauge("frontdesk_provider_usable", "1 while it is", ["provider"], registry=registry)
        self._wasted = Counter("frontdesk_wasted_tokens", "Tokens of replies that were dropped", registry=registry)
        self._fillers = Counter("frontdesk_fillers", "Fillers and apologies", ["kind"], registry=registry)
        self._engines = Gauge("frontdesk_engine_ready", "1 while an engine works", ["engine"], registry=registry)
        self._restarts = Gauge("frontdesk_engine_restarts", "Restarts since the start", ["engine"], registry=registry)
        self._rtt = Histogram("frontdesk_network_rtt_seconds", "There and back", buckets=NETWORK_S, registry=registry)
        self._jitter = Histogram(
            "frontdesk_network_jitter_seconds", "Of the caller's packets", buckets=NETWORK_S, registry=registry
        )
        self._wait = Histogram(
            "frontdesk_network_buffer_seconds", "Waited for missing packets", buckets=NETWORK_S, registry=registry
        )
        self._loss = Histogram(
            "frontdesk_network_loss_ratio",
            "Share of packets lost in two seconds",
            ["direction"],
            buckets=LOSS,
            registry=registry,
        )
        self._bits = Histogram(
            "frontdesk_network_bitrate_bits",
            "Bits a second, without headers",
            ["direction"],
            buckets=(2e3, 8e3, 12e3, 16e3, 24e3, 32e3, 48e3, 64e3),
            registry=registry,
        )
        self._concealed = Counter("frontdesk_network_concealed_seconds", "Sound made up", registry=registry)
        self._packets = Counter("frontdesk_network_packets", "Packets by their fate", ["fate"], registry=registry)
        self._refused = Counter("frontdesk_calls_refused", "Calls not answered", ["door", "why"], registry=registry)
        self._placed = Counter("frontdesk_calls_placed", "Calls of ours, by their end", ["progress"], registry=registry)
        self._transfers = Counter("frontdesk_transfers", "Callers handed on", ["done"], registry=registry)
        self._accounts = Gauge("frontdesk_account_registered", "1 while it is", ["account"], registry=registry)
        self._bans = Counter("frontdesk_sources_banned", "Addresses that knocked too often", registry=registry)
        self._sound = Gauge("frontdesk_sound_device_works", "1 while it does", ["device"], registry=registry)
        self._xruns = Gauge("frontdesk_kiosk_xruns", "Blocks of sound that came too late", registry=registry)
        self._yielded = Gauge(
            "frontdesk_requests_after_visitor",
            "Callers' requests that waited for the kiosk's visitor, or were refused",
            ["engine", "how"],
            registry=registry,
        )
        self._gauges = {key: Gauge(name, about, registry=registry) for key, (name, about, _) in GAUGES.items()}
        self._queues = Gauge("frontdesk_engine_queue", "Requests not answered yet", ["engine"], registry=registry)
        self._last: dict[str, Network] = {}
        """Each call's sums as they were noted."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self._owner_only(self._show))]

    async def _show(self, request: web.Request) -> web.Response:
        figures = await asyncio.to_thread(self._look)
        for key, (_, _, factor) in GAUGES.items():
            value = figures.get(key)
            self._gauges[key].set(math.nan if value is None else value * factor)
        for engine, waiting in figures.get("queues", {}).items():
            self._queues.labels(engine).set(waiting)
        if "kiosk" in figures:
            self._xruns.set(figures["kiosk"]["xruns"])
        for engine, counts in figures.get("precedence", {}).items():
            for how, count in counts.items():
                self._yielded.labels(engine, how).set(count)
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def note(self, event: Event) -> None:
        match event:
            case CallStarted():
                self._active.labels(event.door).inc()
            case CallEnded():
                self._active.labels(event.door).dec()
                self._calls.labels(event.door, event.reason).inc()
                self._last.pop(event.call, None)
            case TurnEnded():
                self._turn(event)
            case FillerSpoken():
                self._fillers.labels("apology" if event.apology else "filler").inc()
            case EngineChanged():
                self._engines.labels(event.engine).set(event.ready)
                self._restarts.labels(event.engine).set(event.restarts)
            case NetworkMeasured():
                self._network(event.call, event.network)
            case _:
                self._phone(event)

    def _phone(self, event: Event) -> None:
        match event:
            case CallRefused():
                self._refused.labels(event.door, event.why).inc()
            case CallPlaced() if event.progress in SETTLED:
                self._placed.labels(event.progress).inc()
            case CallTransferred():
                self._transfers.labels(str(event.done).lower()).inc()
            case AccountChanged():
                self._accounts.labels(event.account).set(event.registered)
            case SourceBanned():
                self._bans.inc()
            case SoundDeviceChanged():
                self._sound.labels(event.device).set(event.works)
            case ProviderChanged():
                self._providers.labels(event.provider).set(event.usable)

    def _turn(self, turn: TurnEnded) -> None:
        self._turns.labels(turn.door, str(turn.interrupted).lower()).inc()
        self._wasted.inc(turn.wasted_tokens)
        self._hedges.inc(turn.wasted_hedges)
        for stage in turn.stages.keys() & {"stt", "llm", "tts"}:
            self._stages.labels(stage, getattr(turn.route, stage)).inc()
        for sent in turn.egress:
            self._egress.labels(sent.provider, sent.kind).inc(sent.bytes)
        for part in PARTS:
            value = getattr(turn, f"{part}_ms")
            if value is not None:
                self._parts.labels(part).observe(value / 1000)

    def _network(self, call: str, network: Network) -> None:
        for histogram, value in (
            (self._rtt, network.rtt_ms),
            (self._jitter, network.jitter_ms),
            (self._wait, network.buffer_ms),
        ):
            if value is not None:
                histogram.observe(value / 1000)
        for direction, loss, bits in (
            ("in", network.loss_in, network.bitrate),
            ("out", network.loss_out, network.bitrate_out),
        ):
            if loss is not None:
                self._loss.labels(direction).observe(loss)
            if bits is not None:
                self._bits.labels(direction).observe(bits)
        before = self._last.get(call, Network())
        self._concealed.inc(max(0.0, ((network.concealed_ms or 0.0) - (before.concealed_ms or 0.0)) / 1000))
        for fate in PACKETS:
            self._packets.labels(fate).inc(max(0, (getattr(network, fate) or 0) - (getattr(before, fate) or 0)))
        self._last[call] = network
