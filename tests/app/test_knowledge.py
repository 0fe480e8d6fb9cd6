"""What the owner wrote: read once, kept, and read again where it has changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from appliance.app import knowledge
from appliance.app.check import check
from appliance.app.knowledge import Remembering, Watch, forget_others, open_clerk
from appliance.knowledge.facts import Facts, load
from appliance.knowledge.service import Offers
from appliance.store.meanings import Meanings
from appliance.terms.errors import DeviceError
from appliance.terms.meaning import Meaning


class Counting:
    """A reader that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        self.given += texts
        vector = np.full(384, 384**-0.5, np.float32)
        return [Meaning(whole=vector, words=(text,), each=vector[None]) for text in texts]


async def test_what_nobody_knows_any_more_is_forgotten(tmp_path: Path) -> None:
    def facts(text: str) -> Facts:
        (tmp_path / "a.md").write_text(text)
        return load(tmp_path / "a.md")

    kept, reader = Meanings(tmp_path / "meanings.db", "m1"), Counting()
    before, after = facts("Dogs are welcome. Cats are not."), facts("Dogs are welcome.")
    await open_clerk(before, reader, datetime.now, kept, offers=Offers())
    assert set(kept.of(["Dogs are welcome.", "Cats are not."])) == {"Dogs are welcome.", "Cats are not."}
    await forget_others(kept, [after], [])
    assert set(kept.of(["Dogs are welcome.", "Cats are not."])) == {"Dogs are welcome."}
    read_before = len(reader.given)
    await open_clerk(after, reader, datetime.now, kept, offers=Offers())
    assert len(reader.given) == read_before, "the examples of intents are kept as well"
    kept.close()


class Lost(Meanings):
    def of(self, texts: Iterable[str]) -> dict[str, Meaning]:
        raise DeviceError("the disk is lost")

    def keep(self, meanings: Mapping[str, Meaning]) -> None:
        raise DeviceError("the disk is lost")


async def test_each_text_is_read_once(tmp_path: Path) -> None:
    kept = Meanings(tmp_path / "meanings.db", "m1")
    first, second = Counting(), Counting()
    await Remembering(first, kept).read(["a", "b", "a"])
    found = await Remembering(second, kept).read(["b", "c", "a"])
    assert first.given == ["a", "b"]
    assert second.given == ["c"]
    assert [meaning.words for meaning in found] == [("b",), ("c",), ("a",)]
    kept.close()


async def test_a_disk_that_is_lost_keeps_nobody_from_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Lost(tmp_path / "meanings.db", "m1")
    assert len(await Remembering(Counting(), kept).read(["a"])) == 1
    assert caplog.text.count("the disk is lost") == 2
    kept.close()


async def test_a_change_is_told_once_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "LOOK_EVERY_S", 0.05)
    told: asyncio.Queue[str] = asyncio.Queue()
    file = tmp_path / "a.md"
    file.write_text("one")

    async def changed() -> None:
        await told.put(file.read_text() if file.exists() else "")

    async def tells() -> str:
        async with asyncio.timeout(10):
            return await told.get()

    watch = Watch(lambda: [tmp_path], changed)
    file.write_text("another")  # while the device starts
    watch.start()
    try:
        assert await tells() == "another"
        (tmp_path / "photo.jpg").write_bytes(b"x")
        os.utime(file, ns=(1, 1))
        assert await tells() == "another"
        file.unlink()
        assert await tells() == ""
    finally:
        await watch.stop()
    assert told.empty()


async def test_a_file_that_is_still_being_copied_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [frozenset({(Path("a"), 0, size)}) for size in (1, 2, 3, 4, 4, 4)]
    monkeypatch.setattr(knowledge, "LOOK_EVERY_S", 0.0)
    done = asyncio.Event()
    told: list[int] = []

    def look(paths: Sequence[Path]) -> frozenset[tuple[Path, int, int]]:
        if len(looks) == 1:
            done.set()
        return looks.pop(0) if len(looks) > 1 else looks[0]

    async def changed() -> None:
        told.append(len(looks))

    monkeypatch.setattr(knowledge, "look", look)
    watch = Watch(list, changed)
    watch.start()
    try:
        async with asyncio.timeout(10):
            await done.wait()
            await asyncio.sleep(0.1)
    finally:
        await watch.stop()
    assert len(told) == 1


@pytest.mark.model
def test_a_check_names_the_files_that_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "mill"
    folder.mkdir()
    (folder / "mill.md").write_text("# The Old Mill\n\nThere is a lift.")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    config = tmp_path / "frontdesk.toml"
    config.write_text(f'[agent]\nknowledge = "{folder}"\n')
    lines = {line.what: line for line in check(config, {})}
    assert lines["agent"].found == "answers for The Old Mill; facts: 1"
    assert not lines["knowledge"].good
    assert "latin.txt" in lines["knowledge"].found
    assert lines["knowledge"].mend == "Open it in a text editor and save it as UTF-8."
