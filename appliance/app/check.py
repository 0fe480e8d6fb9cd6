"""`frontdesk check`: is everything in place, and what mends what is not."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from appliance.doors.ice import Ice
from appliance.doors.sip.options import listens
from appliance.doors.sip.probe import probe
from appliance.telemetry.mqtt import probe as probe_broker
from appliance.terms.clock import SystemClock
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError, FrontdeskError
from appliance.web.server import PAGES

from . import settings
from .cloud import probe as probe_provider
from .cloud import providers
from .desk import role
from .engines import MEANING_MODEL, TURN_MODEL, models_dir, weights
from .finding import Line
from .phone import check_phone
from .sound_check import check_sound
from .telemetry import device

FREE_MB = 200


def check(path: Path | None, environ: Mapping[str, str], *, cloud: bool = False) -> list[Line]:
    """A line for each thing that must be there, `cloud`: providers too. Never raises for what it checks."""
    try:
        config = settings.load(path, environ)
    except ConfigError as error:
        return [Line(what="configuration", good=False, found=problem, mend=error.mend) for problem in error.problems]
    lines = [Line(what="configuration", good=True, found=str(path or "defaults"))]
    patterns = ("model.bin", "*.gguf", "*.onnx", "*.onnx", "*.onnx")
    wanted = (config.stt.model, config.llm.model, config.tts.voice, TURN_MODEL, MEANING_MODEL)
    lines += [_model(config, name, pattern) for name, pattern in zip(wanted, patterns, strict=True)]
    lines += [*_knowledge(config), _port(config), _disk(config), _pages()]
    return [
        *lines,
        *check_sound(config.kiosk),
        *_ice(config),
        *_phone(config),
        *_broker(config),
        *_cloud(config, asked=cloud),
    ]


def _model(config: Config, name: str, pattern: str) -> Line:
    try:
        path = weights(config, name, pattern).parent
    except FrontdeskError as error:
        return Line(what=f"model {name}", good=False, found=str(error), mend=error.mend)
    return Line(what=f"model {name}", good=True, found=str(path))


def _knowledge(config: Config) -> list[Line]:
    try:
        who = role(config)
    except ConfigError as error:
        return [Line(what="agent", good=False, found=str(error), mend=error.mend)]
    found = f"answers for {who.business}; facts: {len(who.facts.passages)}"
    unread = [Line(what="knowledge", good=False, found=str(one), mend=one.mend) for one in who.facts.problems]
    return [Line(what="agent", good=True, found=found), *unread]


def _port(config: Config) -> Line:
    where = f"{config.http.host}:{config.http.port}"
    try:
        family = socket.AF_INET6 if ":" in config.http.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((config.http.host, config.http.port))
    except OSError as error:
        return Line(
            what="http",
            good=False,
            found=f"{where} cannot be used: {error.strerror or error}",
            mend="Is Frontdesk running already? Else set http.host or http.port.",
        )
    return Line(what="http", good=True, found=f"{where} is free")


def _ice(config: Config) -> list[Line]:
    try:
        answering = asyncio.run(Ice(config.webrtc, SystemClock()).answering())
    except ConfigError as error:
        return [Line(what="ice servers", good=False, found=problem, mend=error.mend) for problem in error.problems]
    return [
        Line(
            what=url.partition("?")[0],
            good=answers,
            found="answers" if answers else "does not answer",
            mend="" if answers else "Is its address right, and may this device reach it? Calls go on without it.",
        )
        for url, answers in answering.items()
    ]


def _phone(config: Config) -> list[Line]:
    """Of the phone, where it is on: its settings, its port, and whether each registrar answers."""
    if not config.sip.enabled:
        return []
    try:
        check_phone(config)
        address, port = listens(config.sip)
    except ConfigError as error:
        return [Line(what="phone", good=False, found=problem, mend=error.mend) for problem in error.problems]
    lines = [_sip_port(address, port)]
    for account in config.sip.accounts:
        good, found = asyncio.run(probe(config.sip, account))
        mend = "" if good else "Are its address, transport and certificate right, and may this device reach it?"
        lines.append(Line(what=f"registrar of {account.user}@{account.domain}", good=good, found=found, mend=mend))
    return lines


def _broker(config: Config) -> list[Line]:
    if not config.mqtt.url:
        return []
    try:
        good, found = probe_broker(config.mqtt, device(config))
    except ConfigError as error:
        return [Line(what="broker", good=False, found=problem, mend=error.mend) for problem in error.problems]
    mend = "" if good else "Are its address, certificates and password right? Events are kept meanwhile."
    return [Line(what="broker", good=good, found=found, mend=mend)]


def _cloud(config: Config, *, asked: bool) -> list[Line]:
    """The providers' settings; where they are `asked`, one tiny request to each, for each stage it does."""
    lines = []
    try:
        providers(config)
    except ConfigError as error:
        return [Line(what="providers", good=False, found=problem, mend=error.mend) for problem in error.problems]
    if not asked:
        return []
    for one in config.cloud.providers:
        found = asyncio.run(probe_provider(one))
        mend = "Are its address, key and models right, and may this device reach it? Calls go on without it."
        lines += [
            Line(what=f"provider {one.name}, {stage}", good=not why, found=why or "answers", mend=mend if why else "")
            for stage, why in found.items()
        ]
    return lines


def _sip_port(address: str, port: int) -> Line:
    where = f"{address}:{port}"
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address.strip("[]"), port))
    except OSError as error:
        found = f"{where} cannot be used: {error.strerror or error}"
        return Line(what="phone", good=False, found=found, mend="Is Frontdesk running already? Else set sip.listen.")
    return Line(what="phone", good=True, found=f"{where} is free")


def _disk(config: Config) -> Line:
    folder = models_dir(config)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1_000_000
    return Line(what="disk", good=free >= FREE_MB, found=f"{free} MB free at {folder}", mend="Free some space.")


def _pages() -> Line:
    good = (PAGES / "index.html").exists()
    return Line(what="pages", good=good, found=str(PAGES), mend="Install frontdesk again: its pages are missing.")
