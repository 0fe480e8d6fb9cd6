"""`frontdesk calls list|show|replay`: the calls of a running device, and a recorded one held again."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from appliance.control import recording
from appliance.terms.errors import BadInput, DeviceError
from appliance.terms.units import CAPTURE_RATE
from appliance.web.owner import token
from appliance.web.server import url

from . import settings
from .places import state_dir
from .replay import rehearsing, told, was_greeted

app = typer.Typer(help="Calls: what they were, turn by turn; a recorded one held again.", no_args_is_help=True)

ANSWER_WITHIN_S = 10.0
LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "localhost")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@app.command("list")
def list_calls(config: ConfigFile = None, as_json: Json = False) -> None:
    """The last calls of the device that runs here, the newest first."""
    found = asyncio.run(_ask(config, "api/calls"))
    table = Table("call", "began", "from", "length", "turns", "usual wait", "ended", box=None, pad_edge=False)
    for call in found["calls"]:
        length = "goes on" if call["duration_s"] is None else f"{call['duration_s']:.0f} s"
        row = (call["call"], call["started"], call["door"], length, str(call["turns"]), _ms(call["p50_ms"]))
        table.add_row(*row, call["reason"] or "")
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
    found = asyncio.run(_ask(config, f"api/calls/{quote(call, safe='')}"))
    for turn in found["turn_events"]:
        print(f"{turn['turn']:3}  heard:  {turn['transcript']}")
        print(f"     reply:  {turn['reply']}{'  (interrupted)' if turn['interrupted'] else ''}")
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


async def _ask(config: Path | None, path: str) -> dict[str, Any]:
    """What the device that runs here answers. Raises DeviceError where it does not, BadInput where it knows no such
    call."""
    http = settings.load(config, os.environ).http
    address = LOOPBACK if http.host in EVERYWHERE else http.host
    base = url(address, http.port, secure=bool(http.tls))
    headers = {"Authorization": f"Bearer {token(state_dir(os.environ))}"}
    # No authority knows the device's own certificate; the token does not leave the device.
    connector = aiohttp.TCPConnector(ssl=False)
    timeout = aiohttp.ClientTimeout(ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        try:
            response = await session.get(base + path)
            answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DeviceError(
                f"{base} does not answer: {error or type(error).__name__}",
                mend="Is it running, with this configuration?",
            ) from error
    if response.status == 404:
        raise BadInput(answer["message"], mend="See `frontdesk calls list`.")
    if response.status != 200:
        raise DeviceError(f"{base}: {answer.get('message', response.status)}", mend="Run this as the device's user.")
    return answer


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
