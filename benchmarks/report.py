"""Run the benchmarks and write their figures into docs/benchmarks.md.

    .venv/bin/python benchmarks/report.py [--keep] [NAME …]

Each benchmark runs three times, the long ones once, one after the other, on a machine that should have nothing else to
do. Its table stands in the document between `<!-- NAME -->` and `<!-- end -->`: the median, and the least and the most
of the runs. The results are kept in `benchmarks/data/results`; `--keep` runs only what is missing there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "data" / "results"
FRONTDESK = Path(sys.executable).with_name("frontdesk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: where in the result it is, how it is shown, and the bar as text and as a test."""

    label: str
    path: str
    show: str = "{:.0f} ms"
    bar: str = ""
    met: Callable[[float], bool] | None = None
    scale: float = 1.0

    def of(self, result: dict[str, Any]) -> float:
        value: Any = result
        for key in self.path.split("/"):
            value = value[key]
        return float(value) * self.scale


def at_most(label: str, path: str, bar: float, show: str = "{:.0f} ms", *, scale: float = 1.0) -> Figure:
    text = "≤ " + show.format(bar)
    return Figure(label=label, path=path, show=show, bar=text, met=lambda value: value <= bar, scale=scale)


def at_least(label: str, path: str, bar: float, show: str, *, scale: float = 1.0) -> Figure:
    text = "≥ " + show.format(bar)
    return Figure(label=label, path=path, show=show, bar=text, met=lambda value: value >= bar, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    name: str
    command: tuple[str, ...]
    figures: tuple[Figure, ...]
    runs: int = 3


COUNT = "{:.0f}"
PARTS = tuple(
    Figure(label=f"the device's own account: {label}", path=f"device_p50_ms/{part}_ms")
    for part, label in (
        ("e2a", "`e2a_ms`, p50"),
        ("endpoint", "waiting for the end of the turn"),
        ("stt", "… then transcript"),
        ("llm", "… then first clause"),
        ("tts", "… then first sound"),
        ("playout", "… then the door"),
    )
)
PERCENT = "{:.1f} %"


def stock(path: str, show: str = "{:.0f} ms", scale: float = 1.0) -> Figure:
    line, figure = path.split("/")
    return Figure(label="… stock aiortc", path=f"{line}/stock/{figure}", show=show, scale=scale)


def on_line(name: str, what: str, most_ms: float, wer: str, most_points: float) -> tuple[Figure, ...]:
    """A line's rows; `wer`: of what came back, or of what the far end heard."""
    return (
        at_most(f"{what}: mouth to ear, there and back", f"{name}/mouth_to_ear_ms", most_ms),
        stock(f"{name}/mouth_to_ear_ms"),
        at_least("… of the packets that came, played", f"{name}/played_share", 97, PERCENT, scale=100),
        stock(f"{name}/played_share", PERCENT, 100),
        at_most("… words wrong beyond the clean line's", f"{name}/{wer}", most_points, PERCENT, scale=100),
        stock(f"{name}/{wer}", PERCENT, 100),
    )


def helped(name: str, what: str) -> tuple[Figure, ...]:
    return (
        Figure(label=f"{what}: end of speech to reply, p50", path=f"{name}/p50_ms"),
        Figure(label="… p95", path=f"{name}/p95_ms"),
    )


QUALITY = (
    Figure(label="asked", path="asked", show=COUNT),
    Figure(label="answered", path="answered", show=COUNT, bar="all"),
    Figure(label="answered rightly", path="right", show=COUNT),
    Figure(label="cut in on the caller", path="cut_in", show=COUNT),
    Figure(label="replies broken up", path="broken", show=COUNT, bar="none", met=lambda value: value == 0),
)
BENCHMARKS = (
    Benchmark(
        name="turn",
        command=("bench", "turn"),
        figures=(
            at_most("end of speech → reply, p50", "p50_ms", 500),
            at_most("p95", "p95_ms", 900),
            *QUALITY,
            *PARTS,
            at_most("start to ready", "device/ready_s", 15, "{:.1f} s"),
            at_most("idle, of a core", "device/idle_cpu", 2, "{:.1f} %", scale=100),
            at_most("a call in which nobody speaks, of a core", "device/silent_call_cpu", 4, "{:.1f} %", scale=100),
            at_most("main process", "device/main_mb", 250, "{:.0f} MB"),
        ),
    ),
    Benchmark(
        name="two-callers",
        runs=1,
        command=("bench", "turn", "--callers", "2"),
        figures=(
            Figure(label="end of speech → reply, p50", path="p50_ms"),
            at_most("p95", "p95_ms", 1500),
            *QUALITY,
        ),
    ),
    Benchmark(
        name="half-core",
        command=("bench", "turn", "--cores", "0.5"),
        runs=1,
        figures=(
            Figure(label="end of speech → reply, p50", path="p50_ms"),
            Figure(label="p95", path="p95_ms"),
            *QUALITY,
            Figure(label="bridged by a filler", path="fillers", show=COUNT),
        ),
    ),
    Benchmark(
        name="breath",
        command=("bench", "turn", "--group", "breath"),
        runs=1,
        figures=(
            Figure(label="end of speech → reply, p50", path="p50_ms"),
            Figure(label="p95", path="p95_ms"),
            *QUALITY,
            at_most("of the language model's words written in vain", "wasted_share", 40, "{:.0f} %", scale=100),
        ),
    ),
    Benchmark(
        name="overlap",
        command=("bench", "overlap"),
        runs=1,
        figures=(
            Figure(label="interruptions", path="barge_in", show=COUNT),
            Figure(label="… that silenced the reply", path="silenced", show=COUNT, bar="all"),
            Figure(label="silent after, p50", path="silent_p50_ms"),
            at_most("p95", "silent_p95_ms", 450),
            Figure(label="murmurs, coughs and noises", path="murmurs", show=COUNT),
            at_most("… that cost the reply", "lost_share", 10, "{:.0f} %", scale=100),
        ),
    ),
    Benchmark(
        name="llm",
        command=("bench", "llm"),
        figures=(
            at_most("first token, warm", "ttft_ms", 100),
            Figure(label="first clause", path="clause_ms"),
            at_least("one call", "tok_s", 45, "{:.0f} tokens/s"),
            Figure(label="two calls together", path="calls/2", show="{:.0f} tokens/s"),
            at_least("four calls together", "calls/4", 70, "{:.0f} tokens/s"),
        ),
    ),
    Benchmark(
        name="tts",
        command=("bench", "tts"),
        figures=(
            at_most("first sound of a short clause", "first_chunk_ms", 90),
            at_most("time for a second of speech", "rtf", 0.15, "{:.3f} s"),
        ),
    ),
    *(
        Benchmark(
            name=f"survive-{how}",
            command=("bench", "survive", "--how", how, "--times", times),
            runs=1,
            figures=(
                Figure(label="blows", path="blows", show=COUNT),
                at_most("calls lost", "lost", 0, COUNT),
                at_most("next turn not answered within 10 s", "late", 0, COUNT),
                at_most("replies spoken twice", "twice", 0, COUNT),
                Figure(label="questions of the blow itself left unanswered", path="unanswered_during", show=COUNT),
                Figure(label="apologies", path="apologies", show=COUNT),
                Figure(label="next turn answered after, p50", path="next_p50_ms"),
                Figure(label="… at the most", path="next_max_ms"),
            ),
        )
        for how, times in (("kill", "20"), ("freeze", "3"), ("starve", "3"))
    ),
    Benchmark(
        name="calls",
        command=("bench", "calls", "--count", "100"),
        runs=1,
        figures=(
            Figure(label="answered", path="answered", show=COUNT),
            at_most("growth of any process after the 10th call", "worst_growth", 5, "{:.1f} %", scale=100),
        ),
    ),
    Benchmark(
        name="line",
        command=("bench", "line"),
        runs=1,
        figures=(
            at_most("clean: mouth to ear, there and back", "clean/mouth_to_ear_ms", 90),
            stock("clean/mouth_to_ear_ms"),
            *on_line("loss3", "3 % lost, 20 ± 8 ms", 180, "wer_over_clean", 2),
            *on_line("loss5", "5 % lost, 40 ± 30 ms", 350, "heard_wer_over_clean", 3),
            at_most("5 packets lost in a row: the delay is back after", "burst/delay_back_s", 5, "{:.1f} s"),
            at_most("the echo, both ways, of a core", "clean/cpu", 3, PERCENT, scale=100),
            stock("clean/cpu", PERCENT, 100),
        ),
    ),
    Benchmark(
        name="phone",
        command=("bench", "phone"),
        runs=1,
        figures=(
            Figure(label="end of speech → reply by phone (G.711), p50", path="turn/phone/p50_ms"),
            Figure(label="… p95", path="turn/phone/p95_ms"),
            at_most("later than over WebRTC in the same run, p50", "turn/later/p50_ms", 150),
            at_most("… p95", "turn/later/p95_ms", 150),
            Figure(label="answered, of 20", path="turn/phone/answered", show=COUNT),
            at_most("INVITE → 200", "setup/answer_ms", 100),
            at_most("ACK → first sound of the greeting", "setup/greeting_ms", 400),
            at_most("RTP while models work: standard deviation of 20 ms", "pace/sd_ms", 3, "{:.1f} ms"),
            at_most("… longest distance", "pace/max_ms", 40),
            at_most("200 calls, one after another: failed", "calls/sequential_failed", 0, COUNT),
            at_most("200 calls, 5 a second: failed", "calls/at_once_failed", 0, COUNT),
            Figure(label="growth of any process meanwhile", path="calls/worst_growth", show=PERCENT, scale=100),
            Figure(label="descriptors left open", path="calls/most_descriptors", show=COUNT),
            at_most("20 at once hear an announcement: gaps", "many/gaps", 0, COUNT),
            Figure(label="… of a core", path="many/cpu", show="{:.0f} %", scale=100),
            Figure(label="words wrong: the files, wideband", path="line/wer_wideband", show=PERCENT, scale=100),
            Figure(label="… over G.711", path="line/wer", show=PERCENT, scale=100),
            at_most("… beyond that, with 3 % lost and 30 ms jitter", "line/over_clean", 3, PERCENT, scale=100),
        ),
    ),
    Benchmark(
        name="telemetry",
        command=("bench", "telemetry"),
        runs=1,
        figures=(
            Figure(label="from the event to a subscriber, p50", path="arrival/p50_ms", show="{:.1f} ms"),
            at_most("… p95", "arrival/p95_ms", 150, "{:.1f} ms"),
            Figure(label="processor time of an event", path="arrival/cpu_ms_per_event", show="{:.2f} ms"),
            *(
                Figure(label=f"longest delay of the event loop: {what}", path=f"stall/{name}", show="{:.1f} ms")
                for name, what in (
                    ("off", "telemetry off"),
                    ("on", "on"),
                    ("silent_broker", "the broker accepts and says nothing"),
                    ("slow_disk", "a write takes half a second"),
                    ("full_disk", "the disk is full"),
                )
            ),
            Figure(label="an hour without a broker, two restarts: events", path="outage/events", show=COUNT),
            Figure(label="… arrived", path="outage/arrived", show=COUNT, bar="all"),
            Figure(label="… twice, before de-duplication", path="outage/twice", show=COUNT),
            Figure(label="… after", path="outage/took_s", show="{:.0f} s"),
            Figure(label="kill -9 of the outbox's writer", path="kills/kills", show=COUNT),
            at_most("… events lost that were acknowledged", "kills/lost", 0, COUNT),
        ),
    ),
    Benchmark(
        name="fallback",
        command=("bench", "fallback"),
        runs=1,
        figures=(
            *helped("local", "the device alone"),
            *helped("healthy", "`lag`, all well"),
            at_most("… turns in which the provider was used", "healthy/cloud_share", 2, PERCENT, scale=100),
            *helped("slow_llm", "`lag`, the device's language model ten times as slow"),
            at_most("… p95 against the device's own in health", "slow_llm/ratio_p95", 1.3, "{:.2f} ×"),
            Figure(
                label="… turns in which the provider was used", path="slow_llm/cloud_share", show=PERCENT, scale=100
            ),
            at_most("… turns lost", "slow_llm/lost", 0, COUNT),
            at_most("… said twice", "slow_llm/doubled", 0, COUNT),
            *helped("slow_alone", "the same without a provider"),
            *helped("blackhole", "`hedge`, the provider a black hole"),
            at_most("… later than the device alone, p50", "blackhole/added_ms", 50),
            Figure(label="… requests that went into it", path="blackhole/hedges_wasted", show=COUNT),
            at_most("killed in mid-reply, with a provider: silence, p50", "killed/gap_p50_ms", 700),
            Figure(label="… the longest", path="killed/gap_max_ms"),
            Figure(label="… taken up by the provider", path="killed/taken_up", show=COUNT),
            at_most("… said twice", "killed/repeats", 0, COUNT),
            Figure(label="killed in mid-reply, alone: silence, p50", path="killed_alone/gap_p50_ms"),
            at_most("… the longest, but for covering speech", "killed_alone/gap_max_ms", 3000),
            at_most("… said twice", "killed_alone/repeats", 0, COUNT),
            Figure(label="both gone: questions", path="both_gone/asked", show=COUNT),
            Figure(label="… apologies", path="both_gone/apologies", show=COUNT),
            at_most("… after, the longest", "both_gone/longest_ms", 2000),
            Figure(label="nothing may leave: turns", path="not_allowed/turns", show=COUNT),
            at_most("… packets that left", "not_allowed/packets_left", 0, COUNT),
            Figure(label="text may leave: packets that left in 4 turns", path="allowed/packets_left", show=COUNT),
        ),
    ),
    Benchmark(
        name="stt",
        command=("bench", "stt"),
        figures=(
            at_most("word error rate", "wer", 5.5, "{:.2f} %", scale=100),
            at_most("a clip, p50", "p50_ms", 140),
            Figure(label="p95", path="p95_ms"),
            at_most("10 s of speech", "sample_10s_ms", 200),
            Figure(label="clips", path="clips", show=COUNT),
        ),
    ),
)


def run(benchmark: Benchmark, number: int, *, keep: bool) -> dict[str, Any]:
    kept = RESULTS / f"{benchmark.name}-{number}.json"
    if not (keep and kept.exists()):
        print(f"{benchmark.name}: run {number} …", file=sys.stderr, flush=True)
        done = subprocess.run([FRONTDESK, *benchmark.command, "--json"], stdout=subprocess.PIPE, text=True, check=True)
        RESULTS.mkdir(parents=True, exist_ok=True)
        kept.write_text(done.stdout.splitlines()[-1])
    result: dict[str, Any] = json.loads(kept.read_text())
    return result


def table(benchmark: Benchmark, results: list[dict[str, Any]]) -> str:
    lines = [f"    frontdesk {' '.join(benchmark.command)}", "", "| | median | runs | bar | |", "|---|---|---|---|---|"]
    for figure in benchmark.figures:
        values = [figure.of(result) for result in results]
        median, low, high = statistics.median(values), min(values), max(values)
        verdict = "" if figure.met is None else ("met" if figure.met(median) else "**missed**")
        spread = figure.show.format(high) if low == high else f"{figure.show.format(low)} – {figure.show.format(high)}"
        lines.append(f"| {figure.label} | {figure.show.format(median)} | {spread} | {figure.bar} | {verdict} |")
    return "\n".join(lines)


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def put(document: str, name: str, text: str) -> str:
    """`document` with the block `name` replaced."""
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not block.search(document):
        raise SystemExit(f"error: {DOCUMENT} has no block <!-- {name} -->")
    return block.sub(lambda match: f"{match[1]}{text}\n{match[2]}", document)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *(b.name for b in BENCHMARKS)], metavar="NAME")
    parser.add_argument("--keep", action="store_true", help="use results that are there")
    options = parser.parse_args()
    document = put(DOCUMENT.read_text(encoding="utf-8"), "machine", machine())
    for benchmark in BENCHMARKS:
        if not options.names or benchmark.name in options.names:
            results = [run(benchmark, number, keep=options.keep) for number in range(1, benchmark.runs + 1)]
            document = put(document, benchmark.name, table(benchmark, results))
            DOCUMENT.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
