"""What the owner wrote: read once, kept, and read again where it has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from appliance.knowledge import facts, index, intents
from appliance.knowledge.clerk import Clerk
from appliance.knowledge.facts import Facts
from appliance.knowledge.filling import Tool
from appliance.knowledge.service import Offers
from appliance.store.meanings import Meanings
from appliance.terms.errors import DeviceError
from appliance.terms.meaning import Meaning, Reader

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
READ_AT_ONCE = 64

Seen = frozenset[tuple[Path, int, int]]


async def open_clerk(
    known: Facts,
    reader: Reader,
    now: Callable[[], datetime],
    kept: Meanings | None = None,
    *,
    offers: Offers,
    composes: bool = False,
) -> Clerk:
    """Raises EngineError."""
    reads = Remembering(reader, kept) if kept is not None else reader
    read = index.Index(await index.entries(reads, known.passages))
    return Clerk(
        known.hours,
        now,
        reader,
        read,
        await intents.read(reads, offers.tools),
        offers=offers,
        composes=("whole" if known.text else "found") if composes else "",
    )


async def forget_others(kept: Meanings, known: Iterable[Facts], tools: Sequence[Tool]) -> None:
    """Of what is kept, whatever nobody knows any more."""
    wanted = [*intents.texts(tools), *(text for one in known for text in index.texts(one.passages))]
    try:
        await asyncio.to_thread(kept.forget_others, wanted)
    except DeviceError as error:
        log.warning("%s", error)


class Remembering:
    """A reader that reads each text once. What the disk does not give or take is read all the same."""

    def __init__(self, reader: Reader, kept: Meanings) -> None:
        self._reader = reader
        self._kept = kept

    async def read(self, texts: Sequence[str], *, ahead: bool = False) -> list[Meaning]:
        try:
            found = await asyncio.to_thread(self._kept.of, texts)
        except DeviceError as error:
            log.warning("%s", error)
            found = {}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), READ_AT_ONCE):
            some = missing[start : start + READ_AT_ONCE]
            new = dict(zip(some, await self._reader.read(some, ahead=ahead), strict=True))
            found |= new
            try:
                await asyncio.to_thread(self._kept.keep, new)
            except DeviceError as error:
                log.warning("%s", error)
        return [found[text] for text in texts]


class Watch:
    """Looks at files every 2 s; tells once they have changed since it was made, and no more since the look before."""

    def __init__(self, paths: Callable[[], Iterable[Path]], changed: Callable[[], Awaitable[None]]) -> None:
        self._paths = paths
        self._changed = changed
        self._known = look(list(paths()))
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="knowledge")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        before = self._known
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            seen = await asyncio.to_thread(look, list(self._paths()))
            if seen != self._known and seen == before:
                self._known = seen
                await self._changed()
            before = seen


def look(paths: Sequence[Path]) -> Seen:
    """Each file, when it was changed and how long it is; what cannot be looked at is not there."""
    found: set[tuple[Path, int, int]] = set()
    for path in paths:
        try:
            for file in facts.files(path):
                status = file.stat()
                found.add((file, status.st_mtime_ns, status.st_size))
        except OSError:
            continue
    return frozenset(found)
