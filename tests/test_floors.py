"""The house's floors, purity and size, read from the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "appliance"
FLOORS = {
    "terms": 0,
    **dict.fromkeys(("workers", "models", "store", "dsp"), 1),
    **dict.fromkeys(("engines", "knowledge", "rtp"), 2),
    "flow": 3,
    **dict.fromkeys(("doors", "telemetry", "control", "web"), 4),
    **dict.fromkeys(("app", "bench", "fleet"), 5),
}
SAME_FLOOR = {("app", "bench")}
"""The command line runs the benchmarks; nothing else on a floor knows its neighbours."""
PURE = {
    "terms/units.py",
    "terms/frame.py",
    "terms/events.py",
    "terms/errors.py",
    "terms/config.py",
    "workers/wire.py",
    "engines/breaker.py",
    "engines/contracts.py",
    "engines/gate.py",
    "engines/ledger.py",
    "engines/purse.py",
    "engines/redact.py",
    "engines/routing.py",
    "engines/speed.py",
    "engines/local/timing.py",
    "flow/turns.py",
    "knowledge/calendar.py",
    "knowledge/clerk.py",
    "knowledge/dictation.py",
    "knowledge/index.py",
    "knowledge/intents.py",
    "knowledge/matching.py",
    "knowledge/passages.py",
    "knowledge/taking.py",
    "knowledge/hours.py",
    "knowledge/when.py",
    "flow/chunker.py",
    "flow/timeline.py",
    "flow/capture.py",
    "flow/hush.py",
    "flow/pace.py",
    "flow/pauses.py",
    "flow/silence.py",
    "flow/spoken.py",
    "flow/wording.py",
    "dsp/conceal.py",
    "dsp/dtmf.py",
    "dsp/echo.py",
    "dsp/loudness.py",
    "rtp/adapt.py",
    "rtp/jitter.py",
    "rtp/steady.py",
    "control/book.py",
    "telemetry/alerts.py",
    "telemetry/homeassistant.py",
    "telemetry/reporter.py",
    "doors/kiosk/health.py",
    "doors/kiosk/ring.py",
    "doors/queue.py",
    "doors/rate.py",
    "doors/tickets.py",
    "doors/sip/address.py",
    "doors/sip/answering.py",
    "doors/sip/callers.py",
    "doors/sip/digest.py",
    "doors/sip/hours.py",
    "doors/sip/options.py",
    "doors/sip/quality.py",
    "doors/sip/trace.py",
    "doors/sip/watch.py",
    "bench/words.py",
}
IMPURE_MODULES = {"asyncio", "socket", "threading", "time", "random", "subprocess", "multiprocessing", "datetime"}
WORKER_ONLY = {"ctranslate2", "faster_whisper", "llama_cpp", "piper"}
"""Inference libraries: only what a worker runs may import them, or the main process would grow by hundreds of MB."""
PHONE_ONLY = {"stack.py", "leg.py", "native.py"}
"""What the SIP worker runs: baresip brings OpenSSL 1.1 and threads of its own, which piper's process must never see."""
MAX_LINES = 500

MODULES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, in full; relative imports resolved."""
    package = ["appliance", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    """The package of ours that a module lives in."""
    parts = module.split(".")
    return parts[1] if parts[0] == "appliance" and len(parts) > 1 and parts[1] in FLOORS else None


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_imports_go_strictly_down(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    if own not in FLOORS:
        return
    for module in imports(path):
        other = room(module)
        if other is None or other == own or (own, other) in SAME_FLOOR:
            continue
        assert FLOORS[other] < FLOORS[own], f"{own} (floor {FLOORS[own]}) imports {module} (floor {FLOORS[other]})"


def test_every_package_has_a_floor() -> None:
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert packages <= FLOORS.keys()


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_have_no_clock_io_or_threads(name: str) -> None:
    roots = {module.split(".")[0] for module in imports(ROOT / name)}
    calendar = {"datetime"} if name.startswith("knowledge/") else set()
    """Dates are what they reckon with; which day it is, they are told."""
    assert not roots & (IMPURE_MODULES - calendar)
    assert not re.search(r"\.(?:now|today|utcnow)\(", (ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_workers_load_inference_libraries(path: Path) -> None:
    local = path.is_relative_to(ROOT / "engines" / "local") and path.stem != "proxy"
    roots = {module.split(".")[0] for module in imports(path)}
    assert local or not roots & WORKER_ONLY


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_the_phones_worker_loads_baresip(path: Path) -> None:
    ours = path.parent.name == "sip" and path.name in PHONE_ONLY
    assert ours or "baresip" not in {module.split(".")[0] for module in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_what_engines_send_goes_through_the_wire(path: Path) -> None:
    """Who else may send would not ask the gate."""
    ways_out = {"aiohttp", "httpx", "requests", "urllib", "socket", "openai", "anthropic", "websockets"}
    reads_only = {"openai.py", "wire.py"}
    """The first fills in a form."""
    if path.is_relative_to(ROOT / "engines") and path.name not in reads_only:
        found = {module for module in imports(path) if not module.startswith("urllib.parse")}
        assert not {module.split(".")[0] for module in found} & ways_out


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_are_one_concept_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_nothing_is_named_after_nothing(path: Path) -> None:
    assert path.stem not in {"manager", "helper", "helpers", "util", "utils", "common", "base", "misc"}
