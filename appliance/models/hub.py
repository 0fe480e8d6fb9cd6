"""A file from where its makers published it, over HTTP: what broke off is taken up again."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from appliance.terms.errors import ModelError

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30.0
TRIES = 4
PAUSE_S = 1.0


def fetch(url: str, part: Path, size: int, label: str, arrived: Callable[[int], None]) -> None:
    """Complete `part`, which may hold the beginning already, to `size` bytes.

    `arrived` is told how many bytes are there. Raises ModelError, beginning with `label`, where that cannot be done;
    what has come stays for the next time.
    """
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * attempt)
        try:
            _go_on(url, part, size, arrived)
            if part.stat().st_size == size:
                return
            reason = f"it ended after {part.stat().st_size} of {size} bytes"
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.reason}"
            if error.code < 500:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error) or type(error).__name__)
    raise ModelError(
        f"{label}: {url} could not be fetched: {reason}", mend="Is the network there? What came is kept: run it again."
    )


def _go_on(url: str, part: Path, size: int, arrived: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        if have and answer.status != http.client.PARTIAL_CONTENT:
            have = 0  # it cannot go on: from the beginning, then
        with part.open("ab" if have else "wb") as out:
            while have <= size and (block := answer.read(BLOCK_BYTES)):
                out.write(block)
                have += len(block)
                arrived(min(have, size))
