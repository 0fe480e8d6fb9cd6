"""Call a stock pipecat agent and Frontdesk, one after the other, with the same caller, questions and models.

    .venv/bin/python benchmarks/peer/compare.py [--group question]

The first time it makes a virtual environment for the peer (`benchmarks/data/peer`, some 600 MB). Prints a table, and as
the last line one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from appliance.app.desk import Role, role
from appliance.bench.caller import separately
from appliance.bench.device import running
from appliance.bench.utterances import default_folder, load
from appliance.models.manifest import default_models_dir
from appliance.terms.config import Config

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / "data" / "peer"
LOGS = HERE.parent / "data" / "peer-logs"
READY_WITHIN_S = 90.0
WARM = "open"
"""Asked first and not counted: by then the instructions are in the peer's cache, as they are in ours."""


def environment() -> Path:
    """The Python that the peer runs in, made the first time."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "requirements.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        print("Making the peer's environment …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        done.write_text(wanted)
    return python


@contextlib.contextmanager
def serving(python: Path, name: str, *arguments: object) -> Iterator[None]:
    """A server of the peer's, until the block ends."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w") as log:
        process = subprocess.Popen([python, *map(str, arguments)], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


@contextlib.asynccontextmanager
async def peer(who: Role) -> AsyncIterator[str]:
    """The stock agent's address."""
    python, models, (llm_port, port) = environment(), default_models_dir(), free_ports()
    instructions = ENVIRONMENT / "instructions.txt"
    instructions.write_text(who.instructions, encoding="utf-8")
    weights = next(iter((models / "qwen2.5-0.5b").glob("*.gguf")))
    llm = ("-m", "llama_cpp.server", "--model", weights, "--n_ctx", 4096, "--n_threads", 2, "--port", llm_port)
    url = f"http://127.0.0.1:{llm_port}/v1"
    stock = (HERE / "stock.py", port, url, models, instructions, who.greeting)
    with serving(python, "llm", *llm), serving(python, "stock", *stock):
        await until_up(f"{url}/models")
        await until_up(f"http://127.0.0.1:{port}/docs")
        yield f"http://127.0.0.1:{port}"


async def until_up(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url):
                    return
            await asyncio.sleep(0.5)
    raise SystemExit(f"error: {url} does not answer; its log is in {LOGS}")


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


async def called(url: str, group: str) -> dict[str, Any]:
    folder = default_folder()
    ids = [u.id for u in load(folder) if u.group == group]
    rows = (await separately(url, folder, [WARM, *ids]))["asked"][1:]
    times = np.array([row["ms"] for row in rows if row["ms"] is not None] or [np.nan])
    return {
        "asked": len(rows),
        "answered": len(times),
        "cut_in": sum(row["cut_in"] for row in rows),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
    }


async def compare(group: str) -> dict[str, Any]:
    async with peer(role(Config())) as url:
        theirs = await called(url, group)
    async with running() as device:
        ours = await called(device.url, group)
    ratio = {key: round(theirs[key] / ours[key], 2) for key in ("p50_ms", "p95_ms")}
    return {"group": group, "pipecat": theirs, "frontdesk": ours, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", default="question", help="of the utterances: question, breath, spelled, human")
    result = asyncio.run(compare(parser.parse_args().group))
    for name in ("pipecat", "frontdesk"):
        print(name, *(f"{key} {value}" for key, value in result[name].items()), sep="\n    ")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
