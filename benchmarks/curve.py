"""Draw what patience costs: how often the agent cuts in, against how soon it answers (docs/images/patience.svg).

    .venv/bin/python benchmarks/curve.py [ours] [fixed]

Every question and every sentence with a pause in it is said to the agent in virtual time (`frontdesk calls replay`),
for a row of values of `turns.patience`; and, to compare, to an agent that waits for a fixed silence, as most do.
The two curves take some eight minutes each; one that is not named is drawn as it was.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from appliance.app import settings
from appliance.app.places import state_dir
from appliance.app.replay import Rehearsal, rehearsing
from appliance.bench.utterances import Utterance, default_folder, load
from appliance.dsp import soundfile
from appliance.flow import turns
from appliance.terms.units import CAPTURE_RATE, FRAME_SAMPLES, Pcm, is_voiced

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "data" / "results" / "curve.json"
PLOT = ROOT / "docs" / "images" / "patience.svg"
PATIENCE = (0.5, 0.7, 0.85, 1.0, 1.25, 1.6)
SILENCE_S = (0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
LEAD_S = 0.5
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 20, 20, 60
GREY, BLUE = "#5a626a", "#1f5a85"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    label: str
    wait_ms: float
    """Median, end of speech → reply, of the plain questions."""
    cut_in: float
    """Share of the sentences with a pause in which a reply began before they were over."""


def ours(rehearsal: Rehearsal, questions: list[Utterance], breaths: list[Utterance]) -> list[Point]:
    return [_point(f"{patience:g}", rehearsal, questions, breaths, patience) for patience in PATIENCE]


def fixed(rehearsal: Rehearsal, questions: list[Utterance], breaths: list[Utterance]) -> list[Point]:
    known, points = dict(turns.NEEDED), []
    for silence in SILENCE_S:
        turns.NEEDED.update(dict.fromkeys(known, (silence,) * 3))
        points.append(_point(f"{silence:g} s", rehearsal, questions, breaths, 1.0))
    turns.NEEDED.update(known)
    return points


CURVES = {"ours": ours, "fixed": fixed}


def _point(
    label: str, rehearsal: Rehearsal, questions: list[Utterance], breaths: list[Utterance], patience: float
) -> Point:
    waits = [wait for u in questions if (wait := _wait_ms(rehearsal, u, patience)) is not None and wait > 0]
    early = [wait for u in breaths if (wait := _wait_ms(rehearsal, u, patience)) is not None and wait < 0]
    point = Point(label=label, wait_ms=float(np.median(waits)), cut_in=len(early) / len(breaths))
    print(f"{label}: {point.wait_ms:.0f} ms, {point.cut_in:.0%} cut in", flush=True)
    return point


def _wait_ms(rehearsal: Rehearsal, utterance: Utterance, patience: float) -> float | None:
    """From the last voiced sample to the first reply; negative where it cut in."""
    said = soundfile.read(utterance.file)
    caller = np.concatenate([np.zeros(int(LEAD_S * CAPTURE_RATE), np.int16), said])
    events = rehearsal.replay(caller, patience=patience, until_reply=True).events
    spoke = [event["at"] for event in events if event["type"] == "state" and event["state"] == "speaking"]
    return (spoke[0] - _spoken_until(caller)) * 1000 if spoke else None


def _spoken_until(pcm: Pcm) -> float:
    frames = range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    return max(i + FRAME_SAMPLES for i in frames if is_voiced(pcm[i : i + FRAME_SAMPLES])) / CAPTURE_RATE


def svg(ours: list[Point], fixed: list[Point]) -> str:
    """Waits to the right, cut-ins upwards; each curve's points are labelled."""
    most_ms = max(p.wait_ms for p in (*ours, *fixed)) * 1.08
    most = max(0.1, *(p.cut_in for p in (*ours, *fixed))) * 1.1

    def x(ms: float) -> float:
        return LEFT + ms / most_ms * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - share / most * (HEIGHT - TOP - BOTTOM)

    parts = [_line(LEFT, y(0), WIDTH - RIGHT, y(0)), _line(LEFT, y(0), LEFT, TOP)]
    parts += [_text(x(ms), y(0) + 18, f"{ms}") for ms in range(0, int(most_ms), 200)]
    parts += [_text(LEFT - 8, y(share / 100) + 4, f"{share} %", "end") for share in range(0, int(most * 100) + 1, 10)]
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 16, "end of a question → reply, median, in ms"))
    parts.append(_text(LEFT + 8, TOP + 8, "sentences with a pause that are cut in on", "start"))
    parts += _curve(ours, BLUE, "three witnesses, by turns.patience", x, y)
    parts += _curve(fixed, GREY, "a fixed silence", x, y)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f8f7f3"/>'
    return "\n".join([f'{head} font-size="13">', ground, *parts, "</svg>"]) + "\n"


def _curve(
    points: list[Point], colour: str, name: str, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    places = [(x(p.wait_ms), y(p.cut_in)) for p in points]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in places]
    for i, ((a, b), point) in enumerate(zip(places, points, strict=True)):  # on both sides in turn: some are close
        parts.append(_text(a - 8 if i % 2 else a + 8, b + 4, point.label, "end" if i % 2 else "start", colour))
    parts.append(_text(places[0][0] + 40, places[0][1] - 7, name, "start", colour))
    return parts


def _line(a: float, b: float, c: float, d: float) -> str:
    return f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="{GREY}"/>'


def _text(a: float, b: float, words: str, anchor: str = "middle", colour: str = GREY) -> str:
    return f'<text x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *CURVES], metavar="NAME")
    wanted = parser.parse_args().names or list(CURVES)
    utterances = load(default_folder())
    questions, breaths = ([u for u in utterances if u.group == group] for group in ("question", "breath"))
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with rehearsing(settings.load(None, {}), state_dir(os.environ)) as rehearsal:
        for name in wanted:
            found[name] = [asdict(point) for point in CURVES[name](rehearsal, questions, breaths)]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found))
    PLOT.write_text(svg(*([Point(**row) for row in found[name]] for name in CURVES)), encoding="utf-8")


if __name__ == "__main__":
    main()
