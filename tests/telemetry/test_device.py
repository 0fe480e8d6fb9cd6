"""A whole device and a broker: what an operator sees of a real call, and what not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.bench.caller import Caller
from appliance.bench.device import running
from appliance.bench.utterances import Utterance

from .mosquitto import LOOPBACK, free_port, mosquitto, subscriber, until

pytestmark = [pytest.mark.model]
PARTS = ("endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "playout_ms")


async def test_a_call_is_told_without_its_words(tmp_path: Path, utterances: dict[str, Utterance]) -> None:
    port, question = free_port(), utterances["parking"]
    environ = {
        "FRONTDESK_MQTT__URL": f"mqtt://{LOOPBACK}:{port}",
        "FRONTDESK_MQTT__DEVICE": "lobby-1",
        "FRONTDESK_MQTT__COMMANDS": '["log", "call"]',
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
            for name, arguments in (("log", {"level": "info"}), ("restart", {}), ("call", {"to": "1", "say": "x"})):
                fleet.say(f"frontdesk/v1/lobby-1/cmd/{name}", json.dumps({"id": name, "args": arguments}).encode())
            until(lambda: all(fleet.events(f"cmd/{name}/result") for name in ("log", "restart", "call")))
        until(lambda: fleet.last("status") == b"offline")
    results = {name: fleet.events(f"cmd/{name}/result")[0] for name in ("log", "restart", "call")}
    assert results["log"] == {"id": "log", "ok": True, "error": None}
    assert "does not allow" in results["restart"]["error"]
    assert "phone is not connected" in results["call"]["error"]
    (turn,) = fleet.events("turn")
    assert turn["e2a_ms"] == asked.turn["e2a_ms"]
    assert sum(turn[part] for part in PARTS) == pytest.approx(turn["e2a_ms"], abs=1)
    assert (turn["transcript"], turn["reply"]) == (None, None)
    assert [e["type"] for e in fleet.events("call")] == ["call.started", "call.ended"]
    everything = b"".join(payload for _, payload, _ in fleet.messages).lower()
    for word in (*str(asked.turn["transcript"]).lower().split(), *str(asked.turn["reply"]).lower().split()):
        if len(word) > 5:
            assert word.strip(".,?!").encode() not in everything
    state = json.loads(fleet.last("state"))
    assert state["turns"]["webrtc"]["count"] == 1
    assert all(engine["ready"] for engine in state["engines"].values())
    assert state["host"]["memory_free_mb"] > 0
