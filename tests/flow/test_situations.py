"""Recorded situations, held again with the real models on a clock of their own: the same happens at the same times.

A change that should change them: run benchmarks/make_situations.py, and read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.app.replay import Rehearsal, rehearsing
from appliance.bench.words import word_errors
from appliance.control import recording
from appliance.terms.config import Config

FOLDER = Path(__file__).parents[2] / "benchmarks" / "situations"
NAMES = sorted(path.name for path in FOLDER.iterdir())
CLOSE_S = 0.3
"""Another processor rounds differently: a pause may be seen a frame later, a reply's first clause have a word more."""
MISHEARD = 0.2
SPOKEN_END = "waiting"

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsing(Config(), tmp_path_factory.mktemp("state")) as found:
        yield found


def happened(events: list[dict[str, Any]]) -> list[str]:
    """What must not change: the states, what was made of sounds over the reply, how each turn ended."""
    lines = []
    for event in events:
        match event["type"]:
            case "state":
                lines.append(str(event["state"]))
            case "overlap":
                lines.append("interruption" if event["meant"] else "murmur")
            case "turn":
                replied = "no reply" if event["e2a_ms"] is None else "reply"
                flags = [name for name in ("interrupted", "cut_in") if event[name]]
                lines.append(" ".join([f"turn {event['turn']}", replied, f"{event['murmurs']} murmurs", *flags]))
            case "filler":
                lines.append("apology" if event["apology"] else "filler")
            case "call.ended":
                lines.append(str(event["reason"]))
    return lines


def moments(events: list[dict[str, Any]]) -> list[float]:
    """When the states changed that do not depend on how long a reply is."""
    return [event["at"] for event in events if event["type"] == "state" and event["state"] != SPOKEN_END]


def heard(events: list[dict[str, Any]]) -> str:
    return " ".join(event["transcript"] for event in events if event["type"] == "turn")


@pytest.mark.parametrize("name", NAMES)
def test_it_happens_again(name: str, rehearsal: Rehearsal) -> None:
    before = recording.load(FOLDER / name)
    after = rehearsal.replay(before.caller)
    assert happened(after.events) == happened(before.events)
    assert moments(after.events) == pytest.approx(moments(before.events), abs=CLOSE_S)
    wrong, words = word_errors(heard(before.events), heard(after.events))
    assert wrong <= MISHEARD * words


def test_there_are_situations_enough() -> None:
    assert len(NAMES) >= 20
