"""What must not be lost: killed at any moment, on a damaged file, with a full box."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.store.outbox import Item, Lost, Outbox
from appliance.terms.errors import DeviceError

KILLS = 60
WRITER = """
import sys
from pathlib import Path
from appliance.store.outbox import Item, Outbox

outbox = Outbox(Path(sys.argv[1]))
boot, seq = outbox.begin_boot(), 0
print("boot", boot, flush=True)
while True:
    batch = [Item(boot=boot, seq=seq + i, rank=0, topic="turn", payload=b"x" * 400) for i in range(1, 4)]
    outbox.put(batch)
    seq += 3
    print(seq, flush=True)
"""


def item(seq: int, *, boot: int = 1, rank: int = 0, size: int = 10) -> Item:
    return Item(boot=boot, seq=seq, rank=rank, topic="turn", payload=b"x" * size)


def numbers(outbox: Outbox) -> list[tuple[int, int]]:
    return [(i.boot, i.seq) for i in outbox.waiting(100_000)]


def test_what_was_put_waits_in_order_until_it_is_done(tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    outbox = Outbox(file)
    outbox.put([item(2), item(1), item(1, boot=2)])
    assert numbers(outbox) == [(1, 1), (1, 2), (2, 1)]
    assert [i.seq for i in outbox.waiting(1, after=(1, 1))] == [2]
    outbox.done([item(1), item(7)])
    outbox.close()
    again = Outbox(file)
    assert numbers(again) == [(1, 2), (2, 1)]
    assert len(again) == 2
    assert file.stat().st_mode & 0o077 == 0


def test_each_start_has_a_number_of_its_own(tmp_path: Path) -> None:
    boots = []
    for _ in range(3):
        outbox = Outbox(tmp_path / "outbox.db")
        boots.append(outbox.begin_boot())
        outbox.close()
    assert boots == [1, 2, 3]


def test_a_full_box_gives_up_the_oldest_of_the_least_important(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", most_rows=100)
    outbox.put([item(i, rank=2 if i % 10 == 0 else 0) for i in range(1, 101)])
    outbox.put([item(101), item(102)])
    kept = [seq for _, seq in numbers(outbox)]
    assert len(outbox) == len(kept) <= 100
    assert {10, 20, 100, 101, 102} <= set(kept)
    gone = sorted(set(range(1, 103)) - set(kept))
    assert gone == list(range(1, len(gone) + 1))
    assert outbox.lost() == [Lost(boot=1, count=len(gone), first=1, last=gone[-1])]
    outbox.forgive(outbox.lost())
    assert outbox.lost() == []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400)), min_size=1, max_size=80))
def test_it_never_grows_beyond_its_bounds(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[int, int]]
) -> None:
    outbox = Outbox(tmp_path_factory.mktemp("box") / "outbox.db", most_rows=30, most_bytes=4000)
    for seq, (rank, size) in enumerate(puts, 1):
        outbox.put([item(seq, rank=rank, size=size)])
        waiting = outbox.waiting(1000)
        assert len(outbox) == len(waiting) <= 30
        assert sum(len(i.payload) for i in waiting) <= 4000
    lost = sum(one.count for one in outbox.lost())
    assert lost + len(outbox) == len(puts)
    outbox.close()


@pytest.mark.parametrize("rubbish", [b"this is no database" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_put_aside(tmp_path: Path, rubbish: bytes) -> None:
    file = tmp_path / "outbox.db"
    file.write_bytes(rubbish)
    outbox = Outbox(file)
    outbox.put([item(1)])
    assert numbers(outbox) == [(1, 1)]
    assert file.with_suffix(".damaged").read_bytes() == rubbish


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="file"):
        Outbox(tmp_path / "file" / "outbox.db")


def test_nothing_that_was_kept_is_lost_when_it_is_killed_at_any_moment(tmp_path: Path) -> None:
    dice, file, kept = random.Random(7), tmp_path / "outbox.db", 0
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        boot = int(writer.stdout.readline().split()[1])
        time.sleep(dice.random() * 0.05)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        outbox = Outbox(file)
        seqs = [seq for b, seq in numbers(outbox) if b == boot]
        assert seqs[: max(told, default=0)] == list(range(1, max(told, default=0) + 1))
        kept += len(seqs)
        assert len(outbox) == kept
        outbox.close()
    assert kept > KILLS
