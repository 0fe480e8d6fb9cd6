"""`frontdesk`: the command line. Exit 0 good, 1 failed, 2 bad usage or configuration."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance.bench import dialogues
from appliance.bench.business import load as load_business
from appliance.telemetry.mqtt import forget as forget_device
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError, FrontdeskError
from appliance.web.owner import token
from appliance.web.server import url

from . import bench, calls_cli, messages_cli, models, settings
from .ask import ask as ask_once
from .check import check as check_all
from .daemon import run as run_daemon
from .dial import dial as dial_out
from .evaluate import act, evaluate
from .places import state_dir
from .systemd import Systemd
from .telemetry import device
from .terminal import open_terminal

app = typer.Typer(
    name="frontdesk",
    help="A voice agent that runs on this computer: it answers visitors and callers, entirely on the device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(calls_cli.app, name="calls")
app.add_typer(messages_cli.app, name="messages")
mqtt_app = typer.Typer(help="What a broker knows of this device.", no_args_is_help=True)
app.add_typer(mqtt_app, name="mqtt")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration, else ./frontdesk.toml, else /etc/frontdesk/frontdesk.toml."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@app.callback(invoke_without_command=True)
def root(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        print(f"frontdesk {version('frontdesk')}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigFile = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="Answer the whole network, over TLS with a certificate of the device's own.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on stderr.")] = False,
) -> None:
    """Answer calls until Ctrl-C. Prints the address of the call page; SIGHUP reads the configuration again."""

    def read() -> Config:
        settled = settings.load(config, os.environ)
        return settings.on_the_network(settled) if lan else settled

    settled = read()
    terminal = open_terminal(os.environ, verbose=verbose)
    with terminal.shown():
        state, systemd = state_dir(os.environ), Systemd(os.environ)
        asyncio.run(run_daemon(settled, state, systemd, terminal.tell, terminal.ready, read))


@app.command()
def ask(
    file: Annotated[Path | None, typer.Argument(metavar="FILE.wav", help="A spoken question, any format.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="The question in words, instead of a file.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="reply.wav", help="Keep the spoken reply.")] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Ask one question through the real flow: transcript, reply and stage times."""
    if (file is None) == (text is None):
        raise typer.BadParameter("give either FILE.wav or --text")
    settled = settings.load(config, os.environ)
    turn = asyncio.run(ask_once(settled, state_dir(os.environ), file=file, text=text, out=out))
    _print_turn(turn)
    if as_json:
        print(json.dumps(turn))


@app.command()
def dial(
    to: Annotated[str, typer.Argument(metavar="NUMBER|sip:…", help="Whom; sip.dial must allow it.")],
    say: Annotated[str, typer.Option("--say", help="What the agent says first.")],
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Let the device that runs here call somebody and talk to them. Ends with the call."""
    call = asyncio.run(dial_out(config, to, say, lambda line: print(line, flush=True)))
    if as_json:
        print(json.dumps(call))
    raise typer.Exit(0 if call["placed"] in ("answered", "message left") else 1)


@app.command("eval")
def evaluate_(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="With questions.toml, or calls.toml.")],
    spoken: Annotated[bool, typer.Option(help="Ask by voice: play DIR/spoken/*.ogg instead.")] = False,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Is what the agent says and does right? Asks each business's questions, holds its calls, and judges them."""
    settled = settings.load(config, os.environ)
    calls = [folder for folder in folders if (folder / dialogues.FILE).exists()]
    businesses = [load_business(folder, spoken=spoken) for folder in folders if folder not in calls]

    def tell(row: dict[str, Any]) -> None:
        if not row["right"]:
            heard = row["heard"] if row["heard"] != row["ask"] else ""
            print("INVENTED" if row["invented"] else "wrong   ", row["ask"])
            print(*(f"         {text}" for text in (heard, row["reply"]) if text), sep="\n", flush=True)

    found = [asyncio.run(evaluate(settled, business, state_dir(os.environ), tell)) for business in businesses]
    found += [asyncio.run(act(settled, folder, state_dir(os.environ), tell)) for folder in calls]
    for one in found:
        print({key: value for key, value in one.items() if key != "rows"})
    if as_json:
        print(json.dumps({"businesses": found}))


@app.command()
def console(
    config: ConfigFile = None,
    lan: Annotated[bool, typer.Option("--lan", help="As the device was started.")] = False,
) -> None:
    """Print the address of the owner's console, with the key to it: it shows what the device's calls were."""
    settled = settings.load(config, os.environ)
    settled = settings.on_the_network(settled) if lan else settled
    address = url(settled.http.host, settled.http.port, secure=bool(settled.http.tls))
    print(f"{address}console#key={token(state_dir(os.environ))}")
    print("Keep this to yourself: whoever has it sees what callers said.", file=sys.stderr)


@mqtt_app.callback()
def mqtt() -> None:
    """What a broker knows of this device."""


@mqtt_app.command()
def forget(config: ConfigFile = None) -> None:
    """Take back what the broker keeps of this device: it disappears from Home Assistant and from the board."""
    settled = settings.load(config, os.environ)
    if not settled.mqtt.url:
        raise ConfigError(["mqtt.url is empty: there is no broker"], mend="Set it, or name the --config that has it.")
    forget_device(settled.mqtt, device(settled))
    print(f"The broker has forgotten {device(settled)}.")


def _print_turn(turn: dict[str, Any]) -> None:
    print(f"heard:  {turn['transcript']}")
    print(f"reply:  {turn['reply']}")
    if turn["e2a_ms"] is not None:
        parts = ", ".join(f"{part} {turn[f'{part}_ms']:.0f}" for part in ("endpoint", "stt", "llm", "tts", "playout"))
        print(f"after:  {turn['e2a_ms']:.0f} ms ({parts})")


@app.command()
def check(
    config: ConfigFile = None,
    cloud: Annotated[bool, typer.Option("--cloud", help="Send each provider one tiny request.")] = False,
    as_json: Json = False,
) -> None:
    """See whether everything is in place: a line each, with the mend."""
    lines = check_all(config, os.environ, cloud=cloud)
    for line in lines:
        print(f"{'ok  ' if line.good else 'BAD '} {line.what}: {line.found}")
        if not line.good and line.mend:
            print(f"     {line.mend}")
    good = all(line.good for line in lines)
    if as_json:
        print(json.dumps({"good": good, "checks": [line.as_json() for line in lines]}))
    raise typer.Exit(0 if good else 1)


def main() -> None:
    """The command. Errors that a person can mend are told in a line or two, without a traceback."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        _mend(error)
        sys.exit(2)
    except FrontdeskError as error:
        print(f"error: {error}", file=sys.stderr)
        _mend(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _mend(error: FrontdeskError) -> None:
    if error.mend:
        print(f"mend:  {error.mend}", file=sys.stderr)


if __name__ == "__main__":
    main()
