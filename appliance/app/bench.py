"""`frontdesk bench …`: the measurements, each printing a table and, with `--json`, one object."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from appliance.bench import calls as calls_bench
from appliance.bench import fallback as fallback_bench
from appliance.bench import kiosk as kiosk_bench
from appliance.bench import knowledge as knowledge_bench
from appliance.bench import line as line_bench
from appliance.bench import llm as llm_bench
from appliance.bench import overlap as overlap_bench
from appliance.bench import phone as phone_bench
from appliance.bench import stt as stt_bench
from appliance.bench import survive as survive_bench
from appliance.bench import telemetry as telemetry_bench
from appliance.bench import tts as tts_bench
from appliance.bench import turn as turn_bench
from appliance.bench import utterances
from appliance.bench import wakeword as wakeword_bench
from appliance.engines.local.proxy import LocalLanguageModel, LocalReader, LocalRecogniser, LocalSynthesiser
from appliance.web.owner import token
from appliance.workers.supervisor import Worker

from . import settings
from .desk import role
from .engines import llm_worker, sense_worker, stt_worker, tts_worker, weights
from .places import state_dir
from .tuning import Tuning

app = typer.Typer(help="Measure this device.", no_args_is_help=True)

READY_WITHIN_S = 60.0

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]


@app.command()
def turn(
    callers: Annotated[int, typer.Option(min=1, max=16, help="How many call at once.")] = 1,
    group: Annotated[
        str, typer.Option(help="question, breath (pauses in the middle), spelled, human, or all of these.")
    ] = "question",
    url: Annotated[str | None, typer.Option(help="A running device, instead of one started for this.")] = None,
    cores: Annotated[
        float | None, typer.Option(min=0.1, max=1.0, help="Hold the device to this share of one core (root only).")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """End of speech → reply, heard from outside over WebRTC."""
    folder = folder or utterances.default_folder()
    result = asyncio.run(turn_bench.measure(folder, callers=callers, group=group, url=url, cores=cores))
    table = Table("utterance", "ms", "endpoint", "stt", "llm", "tts", "playout", "right", "reply")
    for row in result["rows"]:
        event = row["turn"]
        parts = [_ms(event.get(f"{part}_ms")) for part in ("endpoint", "stt", "llm", "tts", "playout")]
        table.add_row(row["id"], _ms(row["ms"]), *parts, "yes" if row["right"] else "no", str(event.get("reply") or ""))
    _show(table, result, as_json)


@app.command()
def overlap(
    url: Annotated[str | None, typer.Option(help="A running device, instead of one started for this.")] = None,
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """What becomes of a reply when its caller interrupts, murmurs, coughs or makes a noise."""
    result = asyncio.run(overlap_bench.measure(folder or utterances.default_folder(), url=url))
    table = Table("sound", "group", "silent after", "interrupted", "answered", "murmurs told")
    for row in result["rows"]:
        flags = ["yes" if row[key] else "no" for key in ("interrupted", "answered")]
        table.add_row(row["id"], row["group"], _ms(row["silent_ms"]), *flags, str(row["turn"].get("murmurs", "–")))
    _show(table, result, as_json)


@app.command()
def kiosk(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the agent talks to itself.")] = 10.0,
    small: Annotated[bool, typer.Option("--small", help="A small loudspeaker, driven into distortion.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Parts: wake, door, turns, crowd, barge, talk, lobby.")] = None,
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """A visitor before the microphone and loudspeaker of a virtual room (PulseAudio)."""
    folder = folder or utterances.default_folder()
    parts = only or list(kiosk_bench.PARTS)
    if unknown := set(parts) - set(kiosk_bench.PARTS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: the parts are {', '.join(kiosk_bench.PARTS)}")
    worker = stt_worker(settings.load(None, os.environ), _tuning(), emit=lambda event: None)

    async def measure() -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "wake" in parts:
            _progress("a wake word")
            async with _ready(worker):
                found["wake"] = await wakeword_bench.measure(
                    folder.parent, kiosk_bench.SPEECH_DBFS, LocalRecogniser(worker)
                )
        return found | await kiosk_bench.measure(
            folder, parts, small=small, minutes=minutes, owner=_owner, tell=_progress
        )

    result = asyncio.run(measure())
    table = Table("what", "found", "wanted")
    for row in kiosk_bench.table(result):
        table.add_row(*row)
    _show(table, result, as_json)


@app.command()
def stt(
    folder: Annotated[Path | None, typer.Option("--clips", help="The folder of stt_clips.tsv.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Word error rate and time on human speech (fetch it first: benchmarks/fetch_speech)."""
    clips = stt_bench.load(folder or stt_bench.default_folder())
    worker = stt_worker(settings.load(config, os.environ), _tuning(), emit=lambda event: None)
    table = Table("clip", "said", "heard")

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            return await stt_bench.measure(LocalRecogniser(worker), clips, tell=lambda *row: table.add_row(*row))

    _show(table, asyncio.run(measure()), as_json)


@app.command()
def survive(
    times: Annotated[int, typer.Option(min=1, help="Blows to each of the four engines.")] = 20,
    how: Annotated[str, typer.Option(help="kill (SIGKILL), freeze (SIGSTOP) or starve (no more memory).")] = "kill",
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """What a caller notices when an engine's process is struck down in the middle of a call."""
    if how not in survive_bench.BLOWS:
        raise typer.BadParameter(f"--how is one of {', '.join(survive_bench.BLOWS)}")
    folder = folder or utterances.default_folder()
    result = asyncio.run(survive_bench.measure(folder, times=times, how=how, tell=_progress))
    table = Table("engine", "blows", "answered then", "answered next", "slowest next")
    for engine in survive_bench.ENGINES:
        rows = [row for row in result["rows"] if row["engine"] == engine]
        times_ms = [row["next_ms"] for row in rows if row["next_ms"] is not None]
        during = sum(row["during_ms"] is not None for row in rows)
        table.add_row(engine, str(len(rows)), str(during), str(len(times_ms)), _ms(max(times_ms, default=None)))
    _show(table, result, as_json)


@app.command()
def calls(
    count: Annotated[int, typer.Option(min=11, help="How many, one after another.")] = 100,
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """What the device keeps of calls that are over: memory, descriptors and threads after the 10th and the last."""
    folder = folder or utterances.default_folder()
    result = asyncio.run(calls_bench.measure(folder, count=count, tell=_progress))
    table = Table("process", "MB after 10", "MB at the end", "growth", "descriptors", "threads")
    for name, growth in result["growth"].items():
        before, after = result["before"][name], result["after"][name]
        pairs = [f"{before[key]:.0f} → {after[key]:.0f}" for key in ("descriptors", "threads")]
        table.add_row(name, f"{before['mb']:.1f}", f"{after['mb']:.1f}", f"{growth:+.1%}", *pairs)
    _show(table, {key: value for key, value in result.items() if key not in ("before", "after")}, as_json)


@app.command()
def llm(config: ConfigFile = None, as_json: Json = False) -> None:
    """First token, first clause, and tokens a second for 1, 2 and 4 calls at once."""
    settled = settings.load(config, os.environ)
    instructions = role(settled).instructions
    worker = llm_worker(settled, instructions, state_dir(os.environ), _tuning(), emit=lambda event: None)

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            return await llm_bench.measure(LocalLanguageModel(worker), instructions, tell=_progress)

    _show(None, asyncio.run(measure()), as_json)


@app.command()
def knowledge(
    passages: Annotated[int, typer.Option(min=1, max=20_000, help="How much an owner wrote.")] = 2000,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """How long it takes to read what an owner wrote, and to find in it what a caller asks."""
    worker = sense_worker(settings.load(config, os.environ), emit=lambda event: None)

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            return await knowledge_bench.measure(LocalReader(worker), _progress, passages=passages)

    _show(None, asyncio.run(measure()), as_json)


@app.command()
def tts(config: ConfigFile = None, as_json: Json = False) -> None:
    """First sound of a short clause, and the time that a second of speech takes."""
    worker = tts_worker(settings.load(config, os.environ), _tuning(), emit=lambda event: None)

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            return await tts_bench.measure(LocalSynthesiser(worker), tell=_progress)

    _show(None, asyncio.run(measure()), as_json)


@app.command()
def line(
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """What lost and late packets do to a call, beside stock aiortc; needs root, and Chromium."""
    worker = stt_worker(settings.load(config, os.environ), _tuning(), emit=lambda event: None)
    said = line_bench.clips(folder or utterances.default_folder())

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            return await line_bench.measure(said, LocalRecogniser(worker), tell=_progress)

    result = asyncio.run(measure())
    table = Table("line", "by", "mouth to ear", "played", "WER over clean", "… at the far end", "back after", "CPU")
    for name, row in result.items():
        for by, figures in (("Frontdesk", row), ("aiortc", row["stock"])):
            shares = [_share(figures.get(key)) for key in ("wer_over_clean", "heard_wer_over_clean")]
            back = figures.get("delay_back_s", "") if "delay_back_s" in figures else "–"
            table.add_row(
                *(name, by, _ms(figures["mouth_to_ear_ms"]), _share(figures["played_share"]), *shares),
                *("never" if back is None else str(back), _share(figures["cpu"])),
            )
    _show(table, {}, as_json=False)
    if as_json:
        print(json.dumps(result))


@app.command()
def phone(
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """What callers on the phone notice, and what the phone stands; needs sipp (Debian: sip-tester)."""
    worker = stt_worker(settings.load(config, os.environ), _tuning(), emit=lambda event: None)

    async def measure() -> dict[str, Any]:
        async with _ready(worker):
            line = await phone_bench.bad_line(folder or utterances.default_folder(), LocalRecogniser(worker))
        return {"line": line, **await phone_bench.measure(folder or utterances.default_folder(), tell=_progress)}

    _show(None, asyncio.run(measure()), as_json)


@app.command()
def telemetry(
    kills: Annotated[int, typer.Option(min=1, help="How often the outbox's writer is killed.")] = 500,
    as_json: Json = False,
) -> None:
    """What telling over MQTT costs, and whether anything is lost; needs mosquitto."""
    _show(None, asyncio.run(telemetry_bench.measure(kills=kills, tell=_progress)), as_json)


@app.command()
def fallback(
    rounds: Annotated[int, typer.Option(min=1, help="How often every question is asked in each situation.")] = 1,
    config: ConfigFile = None,
    folder: Annotated[Path | None, typer.Option("--utterances", help="The folder of utterances.toml.")] = None,
    as_json: Json = False,
) -> None:
    """What callers notice when the device lags, an engine dies, or a provider does; needs what scripts/test has."""
    settled = settings.load(config, os.environ)
    own = weights(settled, settled.llm.model, "*.gguf")
    told = role(settled).instructions
    measured = fallback_bench.measure(folder or utterances.default_folder(), own, told, rounds=rounds, tell=_progress)
    _show(None, asyncio.run(measured), as_json)


@asynccontextmanager
async def _ready(worker: Worker) -> AsyncIterator[None]:
    """One engine alone, warm. Raises EngineDown where it cannot start."""
    await worker.start()
    try:
        await worker.wait_ready(READY_WITHIN_S)
        yield
    finally:
        await worker.stop()


def _owner() -> str:
    return token(state_dir(os.environ))


def _tuning() -> Tuning:
    return Tuning(state_dir(os.environ))


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(table: Table | None, result: dict[str, Any], as_json: bool) -> None:
    console = Console()
    if table is not None:
        console.print(table)
    for name, value in result.items():
        if name != "rows":
            console.print(f"{name}: {value}", highlight=False)
    if as_json:
        print(json.dumps(result))


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
