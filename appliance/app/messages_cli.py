"""`frontdesk messages list|done`: what callers left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from . import running

app = typer.Typer(help="Messages that callers left.", no_args_is_help=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@app.command("list")
def list_messages(
    config: ConfigFile = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Those that are done with, too.")] = False,
    as_json: Json = False,
) -> None:
    """The messages of the device that runs here, the newest first."""
    found = asyncio.run(running.get(config, "api/messages"))
    shown = [message for message in found["messages"] if all_of_them or not message["done"]]
    table = Table("id", "taken", "from", "number", "for", "message", "sent", box=None, pad_edge=False)
    for message in shown:
        ways = (f"{way}: {told['sent'] or told['problem'] or 'not yet'}" for way, told in message["ways"].items())
        who = (message["name"], message["number"], message["to"], message["text"])
        table.add_row(str(message["id"]), message["taken"], *who, ", ".join(ways))
    Console().print(table if shown else "There is no message.")
    if as_json:
        print(json.dumps({"messages": shown}))


@app.command()
def done(
    message: Annotated[int, typer.Argument(min=1, help="Its id, as `messages list` tells it.")],
    config: ConfigFile = None,
) -> None:
    """Be done with a message: it is not listed any more."""
    asyncio.run(running.post(config, f"api/messages/{message}/done", {}))
