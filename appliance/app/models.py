"""`frontdesk models list|pull|verify`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from appliance.models.download import OnProgress, Progress
from appliance.models.manifest import load as load_manifest
from appliance.models.store import Store
from appliance.terms.errors import ModelError

from . import settings
from .engines import models_dir

app = typer.Typer(help="The models' weights: what there is, fetch it, check it.", no_args_is_help=True)

PLAIN_STEP = 0.25

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Models; else those of the profile.")]
Profile = Annotated[str, typer.Option(help="A set of models.")]


@app.command("list")
def list_models(config: ConfigFile = None, as_json: Json = False) -> None:
    """What models there are, and which of them are here."""
    store = _store(config)
    rows: list[dict[str, Any]] = [
        {
            "name": model.name,
            "kind": model.kind,
            "about": model.about,
            "size": model.size,
            "licence": model.licence,
            "origin": model.origin,
            "status": str(store.status(model.name)),
            "profiles": [name for name, names in store.manifest.profiles.items() if model.name in names],
        }
        for model in store.manifest.models.values()
    ]
    table = Table("model", "what", "MB", "licence", "here", "profiles")
    for row in rows:
        table.add_row(
            *(row["name"], row["about"], f"{row['size'] / 1e6:.0f}", row["licence"], row["status"]),
            ", ".join(row["profiles"]),
        )
    Console().print(table)
    if as_json:
        print(json.dumps({"dir": str(store.directory), "models": rows}))


@app.command()
def pull(names: Names = None, profile: Profile = "standard", config: ConfigFile = None, as_json: Json = False) -> None:
    """Fetch what is missing or damaged. Nothing is fetched twice."""
    store = _store(config)
    wanted = _wanted(store, names, profile)
    fetched = _pull(store, wanted)
    print(f"{len(wanted)} models are here, {len(fetched)} of them new: {store.directory}")
    if as_json:
        print(json.dumps({"dir": str(store.directory), "models": wanted, "fetched": fetched}))


@app.command()
def verify(
    names: Names = None, profile: Profile = "standard", config: ConfigFile = None, as_json: Json = False
) -> None:
    """Read every file and compare it with its checksum."""
    store = _store(config)
    problems: dict[str, list[str]] = {}
    for name in _wanted(store, names, profile):
        problems[name] = store.verify(name)
        print(f"{'BAD ' if problems[name] else 'ok  '} {name}")
        for problem in problems[name]:
            print(f"     {problem}")
    good = not any(problems.values())
    if not good:
        print("mend:  frontdesk models pull", file=sys.stderr)
    if as_json:
        print(json.dumps({"good": good, "problems": problems}))
    raise typer.Exit(0 if good else 1)


def _store(config: Path | None) -> Store:
    return Store(models_dir(settings.load(config, os.environ)), load_manifest())


def _wanted(store: Store, names: list[str] | None, profile: str) -> list[str]:
    try:
        return [store.manifest.model(name).name for name in names] if names else list(store.manifest.profile(profile))
    except ModelError as error:
        raise typer.BadParameter(f"{error}. {error.mend}") from error


def _pull(store: Store, names: list[str]) -> list[str]:
    """With bars on a terminal, else a line for each quarter; both on stderr."""
    if not sys.stderr.isatty():
        return store.pull(names, _plain())
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(progress: Progress) -> None:
            if progress.label not in tasks:
                tasks[progress.label] = bars.add_task(progress.label)
            bars.update(tasks[progress.label], completed=progress.done, total=progress.total or None)

        return store.pull(names, show)


def _plain() -> OnProgress:
    told: dict[str, float] = {}

    def show(progress: Progress) -> None:
        share = progress.done / progress.total if progress.total else 0.0
        if progress.label not in told or share >= told[progress.label] + PLAIN_STEP:
            told[progress.label] = share
            print(f"{progress.label}: {share:.0%} of {progress.total / 1e6:.0f} MB", file=sys.stderr, flush=True)

    return show
