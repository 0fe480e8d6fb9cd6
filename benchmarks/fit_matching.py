"""Fit how likely a passage answers a question: the weights in `appliance/knowledge/matching.py`.

    .venv/bin/python benchmarks/fit_matching.py

For each business in `benchmarks/matching` (made up for this alone): `knowledge.md`, and `questions.tsv` with the lines
that answer it (0: none does) and the question; and of `benchmarks/businesses` those that are not held out. What is
judged is the best passage of each question. How well that does is measured on businesses that were left out of the
fit, one after the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.app import desk
from appliance.bench import business
from appliance.bench.business import Question
from appliance.engines.local.minilm import MiniLm
from appliance.knowledge import index, intents, passages
from appliance.knowledge.answer import Context
from appliance.knowledge.clerk import Clerk
from appliance.knowledge.passages import Passage
from appliance.knowledge.service import Offers
from appliance.models.manifest import default_models_dir
from appliance.terms.meaning import Meaning

HERE = Path(__file__).parent / "matching"
EVALUATED = Path(__file__).parent / "businesses"
HELD_OUT = ("gym", "museum")
FITTED = ("dental-practice", "harbour-house", "hotel")
DEFAULT = Path(desk.__file__).parent / "defaults" / "harbour-house.md"
MODEL = default_models_dir() / "all-minilm-l6-v2"
RIDGE = 1.0
ROUNDS = 30

Rows = npt.NDArray[np.float64]


class Reader:
    def __init__(self) -> None:
        self._model = MiniLm(str(next(MODEL.glob("*.onnx"))), str(MODEL / "tokenizer.json"), threads=2)

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        return [self._model.read(text) for text in texts]


Asked = tuple[str, Callable[[Passage], bool]]
"""A question, and whether a passage answers it."""


def written_for_this(folder: Path) -> tuple[str, list[Asked], int]:
    """The knowledge, its questions, and how many have an answer."""
    lines = [line.split("\t", 1) for line in (folder / "questions.tsv").read_text(encoding="utf-8").splitlines()]
    asked: list[Asked] = [(question, partial(_on_a_line, places.split(","))) for places, question in lines]
    return (folder / "knowledge.md").read_text(encoding="utf-8"), asked, sum(places != "0" for places, _ in lines)


def evaluated(folder: Path) -> tuple[str, list[Asked], int]:
    """The same of a business that `frontdesk eval` knows: what it expects of a reply, a passage must have."""
    known = business.load(folder)
    asked: list[Asked] = [(one.ask, partial(_is_right, one)) for one in known.questions if one.kind != "hours"]
    text = (known.knowledge or DEFAULT).read_text(encoding="utf-8")
    return text, asked, sum(question.kind == "fact" for question in known.questions)


def _on_a_line(numbers: Sequence[str], passage: Passage) -> bool:
    return passage.place.rsplit(":", 1)[1] in numbers


def _is_right(question: Question, passage: Passage) -> bool:
    return question.kind == "fact" and question.right(passage.text)


async def judged(reader: Reader, text: str, asked: Sequence[Asked]) -> tuple[Rows, Rows]:
    """Of each question, the evidence for its best passage, and whether that is right."""
    known = index.Index(await index.entries(reader, passages.cut(text, "knowledge.md")))
    evidence, right = [], []
    for question, answers in asked:
        best = known.find(question, (await reader.read([question]))[0])[0]
        evidence.append(best.evidence)
        right.append(answers(best.entry.passage))
    return np.array(evidence), np.array(right, float)


def fit(evidence: Rows, right: Rows) -> Rows:
    """Logistic regression, (features + 1,), the last the bias: Newton's method, with a ridge."""
    scale = evidence.std(axis=0) + 1e-9
    rows = np.column_stack([(evidence - evidence.mean(axis=0)) / scale, np.ones(len(evidence))])
    ridge = np.diag([RIDGE] * (rows.shape[1] - 1) + [0.0])
    weights = np.zeros(rows.shape[1])
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (right - likely) - ridge @ weights
        weights += np.linalg.solve((rows.T * (likely * (1 - likely))) @ rows + ridge, slope)
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - plain @ evidence.mean(axis=0))


def chances(evidence: Rows, weights: Rows) -> Rows:
    found: Rows = 1 / (1 + np.exp(-evidence @ weights[:-1] - weights[-1]))
    return found


def area(chance: Rows, right: Rows) -> float:
    """Under the curve: how often a right passage is given a better chance than a wrong one."""
    good, bad = chance[right == 1], chance[right == 0]
    return float((good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2)


async def told(reader: Reader, folder: Path) -> str:
    """What the clerk says, as it is now, of a business that was not fitted on."""
    text, asked, _ = written_for_this(folder)
    cut = passages.cut(text, "knowledge.md")
    known = index.Index(await index.entries(reader, cut))
    desk = Clerk([], datetime.now, reader, known, await intents.read(reader), offers=Offers())
    facts, unknown = Counter[str](), Counter[str]()
    for question, answers in asked:
        answer = await desk.find(question, Context())
        places = answer.source.split(", ") if answer is not None else []
        right = any(answers(passage) for passage in cut if passage.place in places)
        doubts = answer is not None and answer.doubtful
        of = facts if any(answers(passage) for passage in cut) else unknown
        match right, doubts:
            case True, _:
                of["right, with a doubt" if doubts else "right"] += 1
            case _, True:
                of["admitted"] += 1
            case _:
                of["to the model" if answer is None else "wrong"] += 1
    return f"{folder.name}, held out: {facts.total()} facts {dict(facts)}; {unknown.total()} unknown {dict(unknown)}"


async def main() -> None:
    fitted = [folder for folder in sorted(HERE.iterdir()) if folder.is_dir() and folder.name not in HELD_OUT]
    businesses = [written_for_this(folder) for folder in fitted]
    businesses += [evaluated(EVALUATED / name) for name in FITTED]
    reader = Reader()
    found = [await judged(reader, text, asked) for text, asked, _ in businesses]
    held = []
    for left_out, (evidence, _) in enumerate(found):
        others = [one for number, one in enumerate(found) if number != left_out]
        weights = fit(np.concatenate([e for e, _ in others]), np.concatenate([r for _, r in others]))
        held.append(chances(evidence, weights))
    evidence, right = np.concatenate([e for e, _ in found]), np.concatenate([r for _, r in found])
    chance, facts = np.concatenate(held), sum(number for _, _, number in businesses)
    print(f"{len(businesses)} businesses, {len(right)} questions, {facts} with an answer")
    print(f"the right passage is the best of {right.sum() / facts:.1%} of those; area {area(chance, right):.3f}")
    print("chance   right ones kept   wrong ones kept out")
    for least in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        print(f"{least:6.2f} {(chance[right == 1] >= least).mean():12.1%} {(chance[right == 0] < least).mean():16.1%}")
    for name in HELD_OUT:
        print(await told(reader, HERE / name))
    weights = fit(evidence, right)
    print("WEIGHTS =", tuple(round(float(w), 3) for w in weights[:-1]))
    print("BIAS =", round(float(weights[-1]), 3))


if __name__ == "__main__":
    asyncio.run(main())
