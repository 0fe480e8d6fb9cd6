"""Configuration from afar: what an operator wishes, as far as the owner allows it, kept over restarts.

`config/desired` is `{"version": …, "set": {"section.key": value, …}}`, whole each time: what it no longer names is
again as in the owner's file. `config/reported` answers `{"version", "set", "pending", "refused", "error"}`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from appliance.terms.config import Config
from appliance.terms.errors import BadInput, ConfigError, DeviceError

from .settings import SECRET, with_values

log = logging.getLogger(__name__)

FILE, REFUSED = "desired.json", "desired-refused.json"
SOURCE = "config/desired"
MAX_BYTES = 20_000
MAX_VERSION = 64
NEVER = (
    *("mqtt.*", "http.*", "cloud.*", "telemetry.text", "telemetry.traces"),
    *("models.dir", "agent.persona", "agent.knowledge", "sip.hold_music", "sip.ca", "sip.certificate", "sip.dial"),
)
"""Who sets these wrongly from afar cannot set them right again, or could read the device's files, or its callers."""


class Desired:
    """`allowed`: patterns of keys that may be set from afar (`mqtt.settings`)."""

    def __init__(self, state: Path, allowed: list[str]) -> None:
        self._file = state / FILE
        self._allowed = allowed
        self._refused_file = state / REFUSED
        self._values = _object(self._file)

    def set_aside(self, why: str) -> bool:
        """The device could not start with what was wished: it starts without. False where nothing was wished."""
        if not self._values:
            return False
        log.error("%s is put aside: %s", SOURCE, why)
        with suppress(OSError):
            self._refused_file.write_text(json.dumps({"values": self._values, "why": why}), encoding="utf-8")
            self._file.unlink()
        self._values = {}
        return True

    def over(self, config: Config) -> Config:
        """The owner's configuration with what was wished last; what does not fit any more is left out."""
        values = {key: value for key, value in self._values.items() if not self._refused(key)}
        try:
            return with_values(config, values, SOURCE)
        except ConfigError as error:
            log.error("%s: kept from before, and left out: %s", SOURCE, error)
            return config

    async def take(
        self, payload: bytes, owners: Config, apply: Callable[[Config], Awaitable[list[str]]]
    ) -> dict[str, Any]:
        """What to report. `owners`: the configuration without wishes; `apply` takes one over, and gives the keys that
        need a restart for that, or raises ConfigError. Nothing is kept, or changed, where a value cannot be used."""
        report: dict[str, Any] = {"version": None, "set": self._values, "pending": [], "refused": {}, "error": None}
        try:
            report["version"], wished = _read(payload)
            refused = {key: why for key in wished if (why := self._refused(key))}
            values = {key: value for key, value in wished.items() if key not in refused}
            refused |= _misfits(owners, values)
            values = {key: value for key, value in values.items() if key not in refused}
            before = _object(self._refused_file)
            if values and before.get("values") == values:
                raise ConfigError([f"With this the device did not start: {before.get('why')}"])
            report |= {"refused": refused, "pending": await apply(with_values(owners, values, SOURCE))}
            self._keep(values)
            report["set"] = values
        except (BadInput, ConfigError, DeviceError) as error:
            report["error"] = str(error)
        return report

    def _refused(self, key: str) -> str:
        """Why this may not be set, or nothing."""
        if any(fnmatchcase(key, pattern) for pattern in NEVER) or SECRET.search(key):
            return "This can only be set at the device."
        if not any(fnmatchcase(key, pattern) for pattern in self._allowed):
            return "The owner does not allow this (mqtt.settings)."
        return ""

    def _keep(self, values: dict[str, Any]) -> None:
        """Raises DeviceError."""
        if values == self._values:
            return
        part = self._file.with_suffix(".part")
        try:
            part.write_text(json.dumps(values), encoding="utf-8")
            part.chmod(0o600)
            os.replace(part, self._file)
        except OSError as error:
            raise DeviceError(f"{self._file} cannot be written: {error.strerror}") from error
        self._values = values


def _object(file: Path) -> dict[str, Any]:
    """What a file of ours holds; nothing where it is not there, or damaged."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.error("%s cannot be read, and is left out: %s", file, error)
        return {}
    return found if isinstance(found, dict) else {}


def _misfits(owners: Config, values: Mapping[str, Any]) -> dict[str, str]:
    """Those that make no sense, with why."""
    found = {}
    for key, value in values.items():
        try:
            with_values(owners, {key: value}, SOURCE)
        except ConfigError as error:
            found[key] = str(error)
    return found


def _read(payload: bytes) -> tuple[str | int | None, dict[str, Any]]:
    """Its version and values; nothing is wished by an empty payload. Raises BadInput."""
    if not payload:
        return None, {}
    if len(payload) > MAX_BYTES:
        raise BadInput(f"{SOURCE} is larger than {MAX_BYTES // 1000} kB.")
    try:
        wished = json.loads(payload)
    except ValueError:
        raise BadInput(f"{SOURCE} is no JSON.") from None
    if not isinstance(wished, dict) or not isinstance(wished.get("set"), dict):
        raise BadInput(f'{SOURCE} must be an object: {{"version": …, "set": {{"section.key": value}}}}.')
    version = wished.get("version")
    if not isinstance(version, str | int) or len(str(version)) > MAX_VERSION:
        raise BadInput(f"The version in {SOURCE} must be a number or a short text.")
    return version, wished["set"]
