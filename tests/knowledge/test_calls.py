"""Whole calls in which something is to be done (`benchmarks/actions`), with the real reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.bench import dialogues
from appliance.engines.local.minilm import MiniLm
from appliance.knowledge import intents
from appliance.knowledge.clerk import Clerk
from appliance.knowledge.index import Index
from appliance.knowledge.service import Offers
from appliance.terms.errors import BadInput
from appliance.terms.meaning import Meaning

CALLS = Path(__file__).parents[2] / "benchmarks" / "actions"


class Reader:
    def __init__(self, model: Path) -> None:
        self._model = MiniLm(str(model / "model.onnx"), str(model / "tokenizer.json"))

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        return [self._model.read(text) for text in texts]


@pytest.mark.model
@pytest.mark.parametrize(("name", "least"), [("clinic", 29), ("heating", 27), ("bicycles", 31), ("driving", 34)])
async def test_what_is_wanted_is_done(models: Path, name: str, least: int) -> None:
    houses, calls = dialogues.load(CALLS / name)
    reader = Reader(models / "all-minilm-l6-v2")
    right = 0
    for business, house in houses.items():
        known = await intents.read(reader, house.tools)
        offers = Offers(people=house.people, operator=house.operator, tools=house.tools)
        for call in (call for call in calls if call.business == business):
            clerk = Clerk([], lambda now=call.now: now, reader, Index([]), known, offers=offers)  # type: ignore[misc]
            outcome = await dialogues.play(call, clerk.find)
            right += dialogues.right(call, outcome, house)
            if not call.tool:
                assert outcome.tool == "", f"nobody wanted that: {call.first}"
    assert right >= least


@pytest.mark.parametrize(
    "text", ["", "[[call]]\n", "[business.a]\n[[call]]\nbusiness = 'b'\n", "business = 4\ncall = [1]"]
)
def test_calls_that_make_no_sense_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "calls.toml").write_text(text)
    with pytest.raises(BadInput, match=r"calls\.toml"):
        dialogues.load(tmp_path)
