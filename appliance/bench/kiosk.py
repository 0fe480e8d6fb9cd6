"""`frontdesk bench kiosk`: a device with a microphone, a loudspeaker and a visitor, in a virtual room.

The room is quiet, but for the last part; its echo comes from an arm's length away. What a caller in a
browser waits is measured at the same device, right after the visitor.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from appliance.dsp import soundfile
from appliance.terms.clock import SystemClock
from appliance.terms.config import KioskConfig
from appliance.terms.units import Pcm, dbfs

from .caller import separately
from .device import Device, running
from .pulse import RATE, Pulse, pulse
from .room import Acoustics, Room
from .utterances import Utterance, load
from .visitor import Visitor
from .words import word_errors

PARTS = ("wake", "door", "turns", "crowd", "barge", "talk", "lobby")
DELAY_MS, RT60_MS, ECHO_DB = 60.0, 250.0, -6.0
QUIET_DBFS = -62.0
"""A reception at night."""
NOISE_BELOW_DB = 10.0
SPEECH_DBFS = -25.0
"""As the microphone has a visitor an arm's length away."""
QUESTION = "open"
"""Its reply is long."""
LOUD_DBFS = -40.0
WINDOW_S = 0.25
CONVERGED_DB = 30.0
BURSTS = 25
BURST_S, APART_S = 0.06, 0.4
NOW_S = 0.3
CALLERS, QUEUE_S = 2, 8.0
ENVIRON = {
    "FRONTDESK_KIOSK__ENABLED": "true",
    "FRONTDESK_KIOSK__WAKE": "tap",
    "FRONTDESK_KIOSK__MICROPHONE": "kiosk_mic",
    "FRONTDESK_KIOSK__LOUDSPEAKER": "kiosk_spk",
    "FRONTDESK_KIOSK__LEAVE_S": "0",
    "FRONTDESK_TURNS__SILENCE_S": "0",
}
TALK = (
    "We are open from eight in the morning until six in the evening, and on Saturdays we close at one o'clock.",
    "The lift is at the end of the corridor, on your left. The meeting rooms are on the second floor.",
    "Cars can stay in the yard behind the house. Please leave your name and your number plate with us.",
    "Breakfast is served between seven and ten in the dining room, which looks out over the harbour.",
)
Tell = Callable[[str], None]


async def measure(
    folder: Path, parts: Collection[str], *, small: bool, minutes: float, owner: Callable[[], str], tell: Tell
) -> dict[str, Any]:
    """Those of the `PARTS` that need the room; `small`: its loudspeaker distorts; the agent talks to itself for so many
    `minutes`. `owner`: the device's token, once it runs."""
    utterances = load(folder)
    found: dict[str, Any] = {}
    if not set(parts) - {"wake"}:
        return found
    async with pulse() as server:
        hiss = server.folder / "hiss.wav"
        soundfile.write(hiss, hissing(), RATE)
        with as_environ(server.environ):
            if set(parts) - {"wake", "lobby"}:
                around = acoustics(str(hiss), QUIET_DBFS, small=small)
                found |= await _in_quiet(server, around, utterances, folder, parts, minutes, owner, tell)
            if "lobby" in parts:
                lobby = str(folder.parent / "kiosk" / "lobby.ogg")
                around = acoustics(lobby, SPEECH_DBFS - NOISE_BELOW_DB, small=small)
                found |= await _in_lobby(server, around, utterances, tell)
    if {"turns", "lobby"} <= set(parts):
        found["wer_lobby_points"] = round((found["wer_lobby"] - found["wer"]) * 100, 1)
    return found


async def _in_quiet(
    server: Pulse,
    around: Acoustics,
    utterances: list[Utterance],
    folder: Path,
    parts: Collection[str],
    minutes: float,
    owner: Callable[[], str],
    tell: Tell,
) -> dict[str, Any]:
    room = await Room.open(server, around)
    found: dict[str, Any] = {}
    try:
        if "door" in parts:
            tell("the door itself")
            found |= await latencies(room)
        async with running({**ENVIRON, **server.environ}) as device, Visitor(device.url, room, SPEECH_DBFS) as visitor:
            tell("a greeting: how soon its echo is gone")
            await visitor.come()
            found |= echo(visitor)
            if "turns" in parts:
                found |= await _turns(device, visitor, utterances, folder, tell)
            if "crowd" in parts:
                found |= await _crowd(device, visitor, utterances, folder, owner(), tell)
            if "barge" in parts:
                found |= await _interruptions(room, visitor, utterances, tell)
            if "talk" in parts:
                tell(f"{minutes:g} minutes of talking, in which nobody else speaks")
                found |= await monologue(device, visitor, room, minutes, owner())
        return found | {"room": await room.stats()}
    finally:
        await room.close()


async def _turns(
    device: Device, visitor: Visitor, utterances: list[Utterance], folder: Path, tell: Tell
) -> dict[str, Any]:
    """The questions, before the kiosk and then in a browser."""
    questions = [one for one in utterances if one.group == "question"]
    tell(f"{len(questions)} questions")
    found = turns([await _asked(visitor, question, tell) for question in questions])
    tell("the same in a browser")
    browser = await separately(device.url, folder, (question.id for question in questions))
    webrtc = middle([row["ms"] for row in browser["asked"] if row["ms"] is not None])
    return found | {"webrtc_p50_ms": webrtc, "behind_webrtc_ms": round(found["p50_ms"] - webrtc, 1)}


async def _crowd(
    device: Device, visitor: Visitor, utterances: list[Utterance], folder: Path, token: str, tell: Tell
) -> dict[str, Any]:
    """The questions before the kiosk, while `CALLERS` ask them in browsers."""
    questions = [one for one in utterances if one.group == "question"]
    tell(f"{len(questions)} questions, and {CALLERS} callers who ask them too")
    orders = [
        questions[len(questions) * n // CALLERS :] + questions[: len(questions) * n // CALLERS] for n in range(CALLERS)
    ]
    calls = [asyncio.create_task(separately(device.url, folder, (one.id for one in order))) for order in orders]
    await asyncio.sleep(QUEUE_S)  # until they are connected
    rows = [await _asked(visitor, question, tell) for question in questions]
    others = [row["ms"] for call in await asyncio.gather(*calls) for row in call["asked"] if row["ms"] is not None]
    found = turns(rows)
    return {
        "crowd": {
            "visitor_p50_ms": found["p50_ms"],
            "visitor_p95_ms": found["p95_ms"],
            "callers_p50_ms": middle(others),
            "callers_p95_ms": late(others),
            "answered": [found["answered"], len(others)],
            "after_visitor": await _after_visitor(device, token),
        }
    }


async def _after_visitor(device: Device, token: str) -> dict[str, int]:
    """Callers' requests that waited for the visitor, or were refused."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(device.url, headers=headers) as session, session.get("/metrics") as response:
        told = re.findall(r'frontdesk_requests_after_visitor\{.*how="(\w+)"\} ([\d.]+)', await response.text())
    return {how: round(sum(float(count) for name, count in told if name == how)) for how in ("slowed", "refused")}


async def _interruptions(room: Room, visitor: Visitor, utterances: list[Utterance], tell: Tell) -> dict[str, Any]:
    """Over the open loudspeaker, as loud as it is at the microphone."""
    question = next(one for one in utterances if one.id == QUESTION)
    sounds = [one for one in utterances if one.group == "barge"]
    tell(f"{len(sounds)} interruptions")
    await visitor.ask(question)
    visitor.level_dbfs = await _loudness(room) + ECHO_DB
    found = interruptions([await _over(visitor, question, one, tell) for one in sounds])
    return found | {"barge_in_dbfs": round(visitor.level_dbfs, 1)}


async def _in_lobby(server: Pulse, around: Acoustics, utterances: list[Utterance], tell: Tell) -> dict[str, Any]:
    """How many words are misheard in a lobby."""
    questions = [one for one in utterances if one.group == "question"]
    room = await Room.open(server, around)
    try:
        tell(f"{len(questions)} questions in a lobby, {NOISE_BELOW_DB:g} dB below them")
        async with running({**ENVIRON, **server.environ}) as device, Visitor(device.url, room, SPEECH_DBFS) as visitor:
            await visitor.come()
            rows = [await _asked(visitor, question, tell) for question in questions]
        found = turns(rows)
        return {f"{name}_lobby": found[name] for name in ("wer", "answered", "right", "p50_ms", "p95_ms")} | {
            "rows_lobby": rows
        }
    finally:
        await room.close()


def acoustics(noise: str, noise_dbfs: float, *, small: bool) -> Acoustics:
    return Acoustics(
        delay_ms=DELAY_MS, rt60_ms=RT60_MS, echo_db=ECHO_DB, nonlinear=small, noise=noise, noise_dbfs=noise_dbfs
    )


@contextmanager
def as_environ(more: dict[str, str]) -> Iterator[None]:
    """For what asks the environment: ALSA's library in this process."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# --- the door itself


async def latencies(room: Room) -> dict[str, Any]:
    """`Sound` alone: from `play` to the loudspeaker, and from the microphone to `hear`, with nothing beside it."""
    from appliance.doors.kiosk.sound import Heard, Sound  # PortAudio, where ALSA's configuration is the room's

    heard: list[tuple[float, float]] = []

    def hear(frame: Heard) -> None:
        heard.append((frame.at, dbfs(frame.raw)))

    config = KioskConfig(enabled=True, microphone="kiosk_mic", loudspeaker="kiosk_spk")
    sound = Sound(config, SystemClock(), hear, lambda *changed: None)
    await sound.start()
    out: list[float] = []
    into: list[float] = []
    try:
        await asyncio.sleep(1.0)
        for _ in range(BURSTS):
            began = time.monotonic()
            sound.play(burst())
            await asyncio.sleep(APART_S)
            levels = await room.levels_after(began)
            out += [(at - began) * 1000 for at, db in levels if db > LOUD_DBFS][:1]
            said = await room.say(burst())
            await asyncio.sleep(APART_S)
            into += [(at - said.began) * 1000 for at, db in heard if at > said.began and db > LOUD_DBFS][:1]
        about = sound.about()
    finally:
        await sound.stop()
    return {
        "playout_ms": middle(out),
        "capture_ms": middle(into),
        "playout_p95_ms": late(out),
        "capture_p95_ms": late(into),
        "sound": about,
    }


def hissing() -> Pcm:
    """Ten seconds of a quiet room: noise that falls off by 6 dB an octave, (n,) int16 at 48 kHz."""
    white = np.fft.rfft(np.random.default_rng(3).standard_normal(10 * RATE))
    hertz = np.fft.rfftfreq(10 * RATE, 1 / RATE)
    brown = np.fft.irfft(white / np.maximum(hertz, 100.0))
    return np.asarray(brown / np.abs(brown).max() * 20_000, np.int16)


def burst() -> Pcm:
    """(n,) int16 at 48 kHz: a sound that begins at once."""
    t = np.arange(int(BURST_S * RATE)) / RATE
    return (np.sin(2 * np.pi * 1000 * t + np.pi / 2) * 8000).astype(np.int16)


# --- what a visitor finds


async def _asked(visitor: Visitor, question: Utterance, tell: Tell) -> dict[str, Any]:
    asked = await visitor.ask(question)
    heard = str(asked.turn.get("transcript") or "")
    tell(f"  {question.id}: {asked.ms} ms, {heard!r}")
    wrong, words = word_errors(question.text, heard)
    return {"id": asked.id, "ms": asked.ms, "right": asked.right, "cut_in": asked.cut_in, "turn": asked.turn} | {
        "wrong": wrong,
        "words": words,
    }


def turns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    answered = [row for row in rows if row["ms"] is not None]
    times = [row["ms"] for row in answered]
    outside = [row["ms"] - row["turn"]["e2a_ms"] for row in answered]
    return {
        "asked": len(rows),
        "answered": len(answered),
        "right": sum(row["right"] for row in rows),
        "cut_in": sum(row["cut_in"] for row in rows),
        "p50_ms": middle(times),
        "p95_ms": late(times),
        "outside_ms": middle(outside),
        "wer": mishearings(rows),
        "rows": rows,
    }


def mishearings(rows: list[dict[str, Any]]) -> float:
    wrong, words = (float(sum(row[key] for row in rows)) for key in ("wrong", "words"))
    return round(wrong / max(1.0, words), 4)


async def _over(visitor: Visitor, question: Utterance, sound: Utterance, tell: Tell) -> dict[str, Any]:
    over = await visitor.speak_over(question, sound)
    tell(f"  {sound.id}: {'interrupted' if over.interrupted else 'not noticed'}, silent after {over.silent_ms} ms")
    return {"id": over.id, "interrupted": over.interrupted, "silent_ms": over.silent_ms, "words": over.words}


def interruptions(rows: list[dict[str, Any]]) -> dict[str, Any]:
    silent = [row["silent_ms"] for row in rows if row["interrupted"] and row["silent_ms"] is not None]
    return {
        "barge_ins": len(rows),
        "barge_in": round(sum(row["interrupted"] for row in rows) / max(1, len(rows)), 3),
        "barge_in_silent_p50_ms": middle(silent),
        "barge_in_silent_p95_ms": late(silent),
        "over": rows,
    }


async def _loudness(room: Room) -> float:
    """Of the agent's speech, as it is played, in dBFS."""
    levels = [db for _, db in await room.levels_after(time.monotonic() - 120) if db > LOUD_DBFS]
    return 10 * math.log10(sum(10 ** (db / 10) for db in levels) / len(levels))


def echo(visitor: Visitor) -> dict[str, Any]:
    """How much softer our own voice is after cancelling, by the door's levels, while nobody else speaks."""
    told = [(at, m) for at, m in visitor.messages if m["type"] == "level"]
    levels = [(at, m) for at, m in told if min(m["agent_db"], m["room_db"]) > LOUD_DBFS]  # its echo has come
    if not levels:
        return {"erle_db": None, "converged_s": None}
    began = levels[0][0]
    windows: dict[int, list[dict[str, float]]] = {}
    for at, message in levels:
        windows.setdefault(int((at - began) / WINDOW_S), []).append(message)
    losses = {window: _loss(messages) for window, messages in windows.items()}
    after = [window for window, loss in losses.items() if loss < CONVERGED_DB]
    settled = [m for at, m in levels if at - began > 2.0]
    return {
        "erle_db": round(_loss(settled), 1) if settled else None,
        "converged_s": round((max(after) + 1) * WINDOW_S, 2) if after else 0.0,
    }


def _loss(messages: list[dict[str, float]]) -> float:
    """In dB, by their mean powers."""
    room, left = (
        float(np.mean([10 ** (message[key] / 10) for message in messages])) for key in ("room_db", "caller_db")
    )
    return 10 * math.log10(room / left)


async def monologue(device: Device, visitor: Visitor, room: Room, minutes: float, token: str) -> dict[str, Any]:
    """The agent says one thing after the other; whatever it takes for a visitor was itself."""
    began = time.monotonic()
    call = next(m["call"] for _, m in reversed(visitor.messages) if m["type"] == "kiosk" and m["call"])
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(device.url, headers=headers) as session:
        for words in cycle(TALK):
            if time.monotonic() - began > minutes * 60:
                break
            async with session.post(f"/api/calls/{call}/say", json={"words": words}) as response:
                response.raise_for_status()
            await asyncio.sleep(NOW_S)
            await room.quiet(NOW_S, 60)
        async with session.get("/api/kiosk") as response:
            about = json.loads(await response.text())
    taken = [m for kind in ("overlap", "turn") for m in visitor.since(began, kind)]
    listened = [m for m in visitor.since(began, "state") if m["state"] == "listening"]
    spoken_s = 0.02 * len(await room.voiced_after(began))
    levels = Visitor(device.url, room, 0.0)
    levels.messages = [(at, m) for at, m in visitor.messages if at > began]
    return {
        "self_triggers": len(taken) + len(listened),
        "spoken_s": round(spoken_s, 1),
        "monologue_erle_db": echo(levels)["erle_db"],
        "xruns": about["xruns"],
        "gaps": about["gaps"],
        "echo_steps": about["echo_steps"],
    }


def middle(values: list[float]) -> float:
    return round(float(np.median(values or [np.nan])), 1)


def late(values: list[float]) -> float:
    return round(float(np.percentile(values or [np.nan], 95)), 1)


def table(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was found beside what is wanted."""
    if wake := found.get("wake"):
        yield "wake word heard", f"{wake['heard']} of {wake['said']}", "≥ 95 %"
        yield "… and not said", f"{wake['false']} times in {wake['speech_min']} min of speech", "0"
    if "playout_ms" in found:
        yield "capture, playout", f"{found['capture_ms']}, {found['playout_ms']} ms", "≤ 60 each"
    if found.get("erle_db") is not None:
        yield "echo taken out", f"{found['erle_db']} dB, in {found['converged_s']} s", "≥ 30, ≤ 2"
    if "p50_ms" in found:
        yield "end of speech → loudspeaker", f"{found['p50_ms']} ms (p95 {found['p95_ms']})", ""
        yield "… behind a browser", f"{found['behind_webrtc_ms']} ms", "≤ 100"
        yield "words misheard", f"{found['wer']:.1%}", ""
    if crowd := found.get("crowd"):
        yield "beside two callers: the visitor", f"{crowd['visitor_p50_ms']} ms (p95 {crowd['visitor_p95_ms']})", ""
        yield "… the callers", f"{crowd['callers_p50_ms']} ms (p95 {crowd['callers_p95_ms']})", ""
    if "barge_in" in found:
        silent = f"{found['barge_in_silent_p50_ms']} ms (p95 {found['barge_in_silent_p95_ms']})"
        yield "interruptions understood", f"{found['barge_in']:.0%} of {found['barge_ins']}", "≥ 90 %"
        yield "… and the reply silent after", silent, "≤ 500"
    if "self_triggers" in found:
        yield "took itself for a visitor", f"{found['self_triggers']} times in {found['spoken_s'] / 60:.1f} min", "0"
        yield "xruns, gaps", f"{found['xruns']}, {found['gaps']}", "0"
    if "wer_lobby" in found:
        yield "words misheard in a lobby", f"{found['wer_lobby']:.1%}", "≤ 4 points more"
