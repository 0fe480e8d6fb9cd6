"""A PDF's text. It is read by a process of its own: a PDF may be made to take hours, or all memory; calls go on."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from pypdf import PdfReader

from appliance.terms.errors import DocumentError

MOST_PAGES = 1000
MOST_MEMORY = 1024**3
WITHIN_S = 120.0
NICE = 10
BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
AGAIN = "Save it anew, or as text."


def text(path: Path) -> str:
    """Raises DocumentError that names the file."""
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise DocumentError(f"{path} could not be read within {WITHIN_S:.0f} s", mend=AGAIN) from None
    if done.returncode:
        problem = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise DocumentError(f"{path} is no PDF that can be read: {problem or 'its reader died'}", mend=AGAIN)
    read = done.stdout.decode("utf-8", "replace")
    if not read.strip():
        raise DocumentError(f"{path} has no text in it, only pictures", mend="Write what matters into a text file.")
    return BROKEN_WORD.sub("", read)


def main() -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    pages = PdfReader(sys.argv[1]).pages
    if len(pages) > MOST_PAGES:
        sys.exit(f"it has {len(pages)} pages, more than {MOST_PAGES}")
    for page in pages:
        sys.stdout.buffer.write(f"{page.extract_text()}\n\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
