"""`frontdesk calls list|show|replay`: the calls of a running device, and a recorded one held again."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from appliance.control import recording
from appliance.terms.units import CAPTURE_RATE

from . import running, settings
from .places import state_dir
from .replay import rehearsing, told, was_greeted

app = typer.Typer(help="Calls: what they were, turn by turn; a recorded one held again.", no_args_is_help=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]
NOT_KEPT = "(not kept: telemetry.text)"
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@app.command("list")
def list_calls(config: ConfigFile = None, as_json: Json = False) -> None:
    """The last calls of the device that runs here, the newest first."""
    found = asyncio.run(running.get(config, "api/calls"))
    titles = ("call", "began", "door", "with", "length", "turns", "usual wait", "ended")
    table = Table(*titles, box=None, pad_edge=False)
    for call in found["calls"]:
        length = "goes on" if call["duration_s"] is None else f"{call['duration_s']:.0f} s"
        row = (call["call"], call["started"], call["door"], call["caller"] or "", length, str(call["turns"]))
        table.add_row(*row, _ms(call["p50_ms"]), call["reason"] or call["why"] or "")
    Console().print(table)
    if as_json:
        print(json.dumps(found))


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="Its id, as `calls list` tells it.")],
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """One call, turn by turn: what was said, and where the wait came from."""
    found = asyncio.run(running.get(config, f"api/calls/{quote(call, safe='')}"))
    for turn in found["turn_events"]:
        heard, reply = (NOT_KEPT if turn[key] is None else turn[key] for key in ("transcript", "reply"))
        print(f"{turn['turn']:3}  heard:  {heard}")
        print(f"     reply:  {reply}{'  (interrupted)' if turn['interrupted'] else ''}")
        if turn["e2a_ms"] is not None:
            parts = ", ".join(f"{part} {turn[f'{part}_ms']:.0f}" for part in ("endpoint", "stt", "llm", "tts"))
            print(f"     after:  {turn['e2a_ms']:.0f} ms ({parts})")
    if as_json:
        print(json.dumps(found))


@app.command()
def replay(
    call: Annotated[Path, typer.Argument(metavar="FOLDER|FILE", help="A recorded call, or what a caller said.")],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Keep the new call there.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Let the agent of today answer a caller of then, faster than real time: how turn-taking is debugged."""
    before = recording.load(call)
    with rehearsing(settings.load(config, os.environ), state_dir(os.environ)) as rehearsal:
        began = time.monotonic()
        after = rehearsal.replay(before.caller, greet=was_greeted(before))
        took = time.monotonic() - began
    for event in after.events:
        print(told(event))
    print(f"{len(before.caller) / CAPTURE_RATE:.1f} s of the caller, replayed in {took:.1f} s")
    if out is not None:
        after.save(out)
    if as_json:
        print(json.dumps({**after.about, "events": after.events}))


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
