"""The power goes: what was acknowledged is on the disk, and the database opens.

The disk is a file behind a loop device. A copy of that file while the writer stands still has what the device was
given, and nothing of what the kernel still held back: what a cut at that moment would leave. Needs root and loop
devices.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.store.outbox import Outbox

CUTS = 12
WRITER = """
import sys
from pathlib import Path
from appliance.store.outbox import Item, Outbox

outbox = Outbox(Path(sys.argv[1]) / "outbox.db")
boot, seq = outbox.begin_boot(), 0
print(boot, flush=True)
while True:
    outbox.put([Item(boot=boot, seq=seq + i, rank=0, topic="turn", payload=b"x" * 700) for i in (1, 2, 3)])
    seq += 3
    print(seq, flush=True)
    if seq % 30 == 0:
        outbox.done(outbox.waiting(9))
"""
CARELESS = """
import sys

with open(sys.argv[1] + "/file", "w") as file:
    print(1, flush=True)
    for number in range(100_000):
        file.write(f"{number}\\n")
        file.flush()
        print(number, flush=True)
"""


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop device can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def new_disk(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(16_000_000)
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if mkfs is None or os.geteuid():
        pytest.skip("this needs root and mkfs.ext4")
    subprocess.run([mkfs, "-q", str(image)], check=True)


def cut(script: str, image: Path, folder: Path, after_s: float) -> tuple[Path, list[int]]:
    """Run the writer on the disk until the power goes; the disk as it is then, and what the writer had said."""
    with mounted(image, folder):
        writer = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(after_s)
        os.kill(writer.pid, signal.SIGSTOP)
        left = image.with_suffix(".cut" if image.suffix == ".img" else ".img")
        shutil.copy(image, left)
        os.kill(writer.pid, signal.SIGKILL)
        lines = [first, *writer.stdout.read().splitlines(keepends=True)]
        writer.wait()
        writer.stdout.close()
    return left, [int(line) for line in lines if line.endswith("\n")]


def test_what_was_acknowledged_is_there_after_a_power_cut(tmp_path: Path) -> None:
    dice, image = random.Random(11), tmp_path / "disk.img"
    new_disk(image)
    kept = 0
    for _ in range(CUTS):
        image, (boot, *told) = cut(WRITER, image, tmp_path / "disk", dice.uniform(0.0, 0.3))
        with mounted(image, tmp_path / "later"):
            outbox = Outbox(tmp_path / "later" / "outbox.db")
            assert not (tmp_path / "later" / "outbox.damaged").exists()
            seqs = [item.seq for item in outbox.waiting(1_000_000, (boot, 0))]
            assert seqs == list(range(seqs[0], seqs[-1] + 1)) if seqs else not told
            assert not told or seqs[-1] >= told[-1], "acknowledged, and lost"
            outbox.done(outbox.waiting(1_000_000))
            outbox.close()
        kept += len(seqs)
    assert kept > 10 * CUTS


def test_a_cut_does_take_what_nobody_made_safe(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    image = tmp_path / "disk.img"
    new_disk(image)
    left, told = cut(CARELESS, image, tmp_path / "disk", 0.3)
    with mounted(left, tmp_path / "later"):
        file = tmp_path / "later" / "file"
        kept = len(file.read_text().splitlines()) if file.exists() else 0
    assert kept < len(told) - 1
