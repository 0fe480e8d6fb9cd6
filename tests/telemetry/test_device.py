"""A whole device and a broker: what an operator sees of a real call, and what not."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from appliance.app.places import state_dir
from appliance.bench.broker import LOOPBACK, free_port, mosquitto
from appliance.bench.caller import Caller
from appliance.bench.device import running
from appliance.bench.utterances import Utterance
from appliance.store.calls import CallStore

from .collector import collector
from .subscriber import subscriber, until

pytestmark = [pytest.mark.model]
PARTS = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")


def state_of_its_own(folder: Path) -> Path:
    """With what the device has measured before: measuring takes half a minute."""
    state = folder / "frontdesk"
    state.mkdir()
    tuning = state_dir(os.environ) / "tuning.json"
    if tuning.exists():
        shutil.copy(tuning, state)
    return state


async def test_a_call_is_told_everywhere_without_its_words(tmp_path: Path, utterances: dict[str, Utterance]) -> None:
    port, question, state = free_port(), utterances["parking"], state_of_its_own(tmp_path)
    async with collector() as traces:
        environ = {
            "XDG_STATE_HOME": str(tmp_path),
            "FRONTDESK_MQTT__URL": f"mqtt://{LOOPBACK}:{port}",
            "FRONTDESK_MQTT__DEVICE": "lobby-1",
            "FRONTDESK_TELEMETRY__TRACES": traces.url,
            "FRONTDESK_TELEMETRY__CALLS_DAYS": "9",
            "FRONTDESK_TELEMETRY__JOURNAL_MB": "5",
        }
        with mosquitto(tmp_path, port), subscriber(port) as fleet:
            async with running(environ) as device:
                until(lambda: fleet.last("status") == b"online")
                caller = Caller(device.url)
                await caller.connect()
                try:
                    await caller.hear_greeting()
                    asked = await caller.ask(question)
                finally:
                    await caller.close()
                until(lambda: any(e["type"] == "call.ended" for e in fleet.events("call")))
                until(lambda: json.loads(fleet.last("state"))["turns"])
            until(lambda: fleet.last("status") == b"offline")
    (turn,) = fleet.events("turn")
    assert turn["e2a_ms"] == asked.turn["e2a_ms"]
    assert sum(turn[part] for part in PARTS) == pytest.approx(turn["e2a_ms"], abs=1)
    assert (turn["transcript"], turn["reply"]) == (None, None)
    assert [e["type"] for e in fleet.events("call")] == ["call.started", "call.ended"]
    told = json.loads(fleet.last("state"))
    assert told["turns"]["webrtc"]["count"] == 1
    assert all(engine["ready"] for engine in told["engines"].values())
    assert told["host"]["memory_free_mb"] > 0
    assert (told["muted"], told["local"], set(told["queues"])) == (False, 1.0, {"stt", "llm", "tts", "sense"})
    spans = {span.name: span for span in traces.spans}
    assert {"call", "turn", "stt", "tts"} < set(spans)
    assert spans["turn"].parent_span_id == spans["call"].span_id
    disk = b"".join(path.read_bytes() for path in state.iterdir() if path.is_file() and path.suffix != ".state")
    assert b"call.ended" in disk
    (kept,) = CallStore(state / "calls.db").calls(9)
    assert (kept["turns"], kept["reason"]) == (1, "hangup")
    everything = b"".join(payload for _, payload, _ in fleet.messages) + traces.raw
    for word in (*str(asked.turn["transcript"]).lower().split(), *str(asked.turn["reply"]).lower().split()):
        if len(word) > 5:
            assert word.strip(".,?!").encode() not in everything.lower()
    journal = (state / "journal.jsonl").read_text().lower()
    assert str(asked.turn["reply"]).lower() not in journal
    assert str(asked.turn["transcript"]).lower() not in journal


async def test_an_operator_commands_and_configures(tmp_path: Path) -> None:
    port, base = free_port(), "frontdesk/v1/lobby-1"
    environ = {
        "FRONTDESK_MQTT__URL": f"mqtt://{LOOPBACK}:{port}",
        "FRONTDESK_MQTT__DEVICE": "lobby-1",
        "FRONTDESK_MQTT__COMMANDS": '["log", "call", "canary", "mute", "say", "hangup"]',
        "FRONTDESK_MQTT__SETTINGS": '["turns.*", "stt.*"]',
        "XDG_STATE_HOME": str(tmp_path),
    }
    state_of_its_own(tmp_path)
    with mosquitto(tmp_path, port), subscriber(port) as fleet:

        async def ask(name: str, **arguments: Any) -> dict[str, Any]:
            sent = {"id": secrets.token_hex(4), "args": arguments}
            fleet.say(f"{base}/cmd/{name}", json.dumps(sent).encode())

            def answers() -> list[dict[str, Any]]:
                return [answer for answer in fleet.events(f"cmd/{name}/result") if answer["id"] == sent["id"]]

            await asyncio.to_thread(until, answers, 30.0)
            return answers()[0]

        async with running(environ) as device:
            until(lambda: fleet.last("status") == b"online")
            assert (await ask("log", level="info"))["ok"]
            assert "does not allow" in (await ask("restart"))["error"]
            assert "phone is not connected" in (await ask("call", to="1", say="x"))["error"]
            assert "no such call" in (await ask("say", call="x", words="Hello."))["error"]
            canary = await ask("canary")
            assert canary["ok"], canary
            assert canary["turn"]["e2a_ms"] < 5000
            assert canary["turn"]["transcript"] is None
            caller = Caller(device.url)
            await caller.connect()
            try:
                await caller.hear_greeting()
                call = fleet.events("call")[-1]["call"]
                assert (await ask("mute"))["ok"]
                await asyncio.to_thread(until, lambda: json.loads(fleet.last("state"))["muted"])
                assert (await ask("mute", on=False))["ok"]
                assert (await ask("say", call=call, words="We close in five minutes."))["ok"]
                assert (await ask("hangup", call=call))["ok"]
                await asyncio.to_thread(until, lambda: fleet.events("call")[-1]["type"] == "call.ended")
            finally:
                await caller.close()
            wished = {
                "version": 3,
                "set": {"turns.patience": 1.5, "stt.language": "de", "tts.voice": "x", "turns.x": 1},
            }
            fleet.say(f"{base}/config/desired", json.dumps(wished).encode(), retain=True)
            await asyncio.to_thread(until, lambda: fleet.last("config/reported"))
    report = json.loads(fleet.last("config/reported"))
    assert (report["version"], report["pending"]) == (3, ["stt.language"])
    assert report["set"] == {"turns.patience": 1.5, "stt.language": "de"}
    assert set(report["refused"]) == {"tts.voice", "turns.x"}
    assert report["error"] is None
