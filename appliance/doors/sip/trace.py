"""What the SIP stack's trace tells of a message: where it went, and what it was. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD = re.compile(
    r"(?P<way>RX|TX) (?P<transport>\w+) \[?(?P<source>[^\s]+?)\]?:\d+ -> \[?(?P<target>[^\s]+?)\]?:\d+\n"
    r"(?:SIP/2\.0 (?P<status>\d{3})|(?P<method>[^\s]{1,32}) )"
)
CSEQ = re.compile(r"^CSeq\s*:\s*\d+\s+(\w+)", re.IGNORECASE | re.MULTILINE)
CREDENTIALS = re.compile(r"^(?:Proxy-)?Authorization\s*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message of the wire. `peer` is the other side's address; of a request the method, of a response the status
    and the method that it answers."""

    received: bool
    peer: str
    method: str
    status: int = 0
    credentials: bool = False
    """A request that brings a digest."""


def read(text: str) -> Seen | None:
    """A line of the trace, or None where it is no message."""
    head = HEAD.match(text)
    if head is None:
        return None
    received = head["way"] == "RX"
    cseq = CSEQ.search(text)
    return Seen(
        received=received,
        peer=head["source"] if received else head["target"],
        method=head["method"] or (cseq.group(1) if cseq else ""),
        status=int(head["status"] or 0),
        credentials=CREDENTIALS.search(text) is not None,
    )
