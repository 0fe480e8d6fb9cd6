"""`frontdesk.toml` and the environment as a `Config`, with every problem reported at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from appliance.terms.config import Config
from appliance.terms.errors import ConfigError

PLACES = (Path("frontdesk.toml"), Path("/etc/frontdesk/frontdesk.toml"))
PREFIX = "FRONTDESK_"
MAX_BYTES = 1024 * 1024
SECRET = re.compile(r"credential|secret|password|token|ice_servers|sip\.accounts|actions\.tools|mqtt\.url")
"""Keys whose values are not repeated in messages."""


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from `path`, else from the first of PLACES that exists, else the defaults.

    `FRONTDESK_<SECTION>__<KEY>` in `environ` goes over the file. Raises ConfigError with all problems, each naming
    where it comes from, the key, and for an unknown key the nearest known one.
    """
    if path is None:
        path = next((place for place in PLACES if place.exists()), None)
    sources: dict[str, str] = {}
    problems: list[str] = []
    values: dict[str, Any] = {}
    if path is not None:
        values = _read(path)
        sources = {f"{section}.{key}": str(path) for section, keys in _tables(values) for key in keys}
        problems += _unknown(values, str(path))
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and "__" in name:
            section, _, key = name.removeprefix(PREFIX).lower().partition("__")
            problems += _unknown({section: {key: text}}, name)
            if isinstance(values.setdefault(section, {}), dict):
                values[section][key] = _literal(text)
                sources[f"{section}.{key}"] = name
    if problems:
        values = _known(values)
    try:
        config = TypeAdapter(Config).validate_python(values, strict=False)
    except ValidationError as error:
        problems += [_problem(detail, sources, path) for detail in error.errors()]
    if problems:
        raise ConfigError(problems, mend="Correct these; nothing was started.")
    return config


def check(*looks: Callable[[], object]) -> None:
    """Look at all of them. Raises ConfigError with every problem that they have raised."""
    problems: list[str] = []
    for look in looks:
        try:
            look()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, mend="Correct these; nothing was started.")


def changed(old: Config, new: Config) -> list[str]:
    """The keys whose values differ, as `section.key`."""
    sections = ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in fields(Config))
    return [
        f"{name}.{key.name}"
        for name, before, after in sections
        for key in fields(before)
        if getattr(before, key.name) != getattr(after, key.name)
    ]


def with_values(config: Config, values: Mapping[str, Any], source: str) -> Config:
    """With these `section.key` set. Raises ConfigError with all problems, which name `source`."""
    problems, whole = list[str](), asdict(config)
    for name, value in values.items():
        section, _, key = name.partition(".")
        if unknown := _unknown({section: {key: value}}, source):
            problems += unknown
        else:
            whole[section][key] = value
    try:
        changed = TypeAdapter(Config).validate_python(whole, strict=False)
    except ValidationError as error:
        problems += [_problem(detail, dict.fromkeys(values, source), None) for detail in error.errors()]
    if problems:
        raise ConfigError(problems)
    return changed


def keeping(old: Config, new: Config, keys: Iterable[str]) -> Config:
    """The new one, with these `section.key` as they were."""
    for name in keys:
        section, _, key = name.partition(".")
        kept = {key: getattr(getattr(old, section), key)}
        new = replace(new, **{section: replace(getattr(new, section), **kept)})
    return new


def on_the_network(config: Config) -> Config:
    """As `run --lan` wants it: on every address, over TLS; what the owner has set stays."""
    http = config.http
    host = "0.0.0.0" if http.host == Config().http.host else http.host
    return replace(config, http=replace(http, host=host, tls=http.tls or "self"))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise ConfigError([f"{path}: it is larger than {MAX_BYTES // 1024} kB"])
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: it is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _sections() -> dict[str, list[str]]:
    return {f.name: [key.name for key in fields(f.default_factory)] for f in fields(Config)}  # type: ignore[arg-type]


def _tables(values: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(section, keys) for section, keys in values.items() if isinstance(keys, dict)]


def _unknown(values: Mapping[str, Any], source: str) -> list[str]:
    known = _sections()
    problems = [
        f"{source}: [{section}] is not a known section{_nearest(section, list(known))}"
        for section in values
        if section not in known
    ]
    for section, keys in _tables(values):
        names = known.get(section, list(keys))
        everything = [f"{s}.{k}" for s, ks in known.items() for k in ks]
        for key in keys:
            if key not in names:
                problems.append(
                    f"{source}: {section}.{key} is not a known key{_nearest(f'{section}.{key}', everything)}"
                )
    return problems


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was already reported as unknown."""
    known = _sections()
    return {
        section: {k: v for k, v in keys.items() if k in known[section]} if isinstance(keys, dict) else keys
        for section, keys in values.items()
        if section in known
    }


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _literal(text: str) -> Any:
    """An environment value is read as TOML (`8080`, `true`, `["a"]`), else it is the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _problem(detail: Any, sources: Mapping[str, str], path: Path | None) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    source = sources.get(".".join(key.split(".")[:2]), str(path or "configuration"))
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{source}: {key}: {message}" if SECRET.search(key) else f"{source}: {key} = {detail['input']!r}: {message}"
