"""SIP addresses as people and configurations write them: who calls, and whom we may call. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from appliance.terms.errors import BadInput

URI = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[\w.!~*'()&=+$,;?/%#-]{1,64})@)?"
    r"(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:\d{1,5})?(?P<rest>[;?][^\s<>\"]*)?"
)
NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
TRANSPORT = re.compile(r";transport=(udp|tcp|tls)\b", re.IGNORECASE)
NOBODY = ("anonymous", "unknown", "unavailable", "restricted", "")
MAX_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Address:
    """`sip:user@host:port`; of a URI's parameters only the transport is kept."""

    user: str
    host: str
    """With its port, where it has one."""
    scheme: str = "sip"
    transport: str = ""

    @property
    def name(self) -> str:
        """As a person would note it: `user@host`, or the number alone where it is one that the world knows."""
        return self.user if self.user.startswith("+") else f"{self.user}@{self.host}" if self.user else self.host

    @property
    def anonymous(self) -> bool:
        return self.user.lower() in NOBODY or self.host.endswith("anonymous.invalid")

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}:{user}{self.host}{f';transport={self.transport}' if self.transport else ''}"

    def matches(self, patterns: list[str], domains: list[str] | None = None) -> bool:
        """Is it one of these? A pattern is `user@host` or a number alone, with `*` for anything; with `domains`, a
        number alone is one at these."""
        bare = self.host.rpartition(":")[0] if re.search(r":\d+$", self.host) else self.host
        forms = [f"{self.user}@{self.host}", f"{self.user}@{bare}"]
        if domains is None or self.host in domains:
            forms.append(self.user)
        wanted = (pattern.lower().removeprefix("sip:").removeprefix("sips:") for pattern in patterns)
        return any(fnmatchcase(form.lower(), p) for p in wanted for form in forms if ("@" in form) == ("@" in p))


def parse(text: str) -> Address:
    """A peer's address, `"Name" <sip:…>;tag=…` or bare. Raises BadInput where it is none."""
    if len(text) > MAX_LENGTH:
        raise BadInput("The address is too long.")
    inside = re.search(r"<([^<>]*)>", text)
    found = URI.fullmatch((inside.group(1) if inside else text.partition(";tag=")[0]).strip())
    if found is None:
        raise BadInput(f"{text!r} is no SIP address.")
    transport = TRANSPORT.search(found["rest"] or "")
    return Address(
        user=(found["user"] or "").partition(";")[0],
        host=f"{found['host']}{found['port'] or ''}",
        scheme=found["scheme"],
        transport=transport.group(1).lower() if transport else "",
    )


def target(text: str, domain: str) -> Address:
    """Whom to call: a SIP address, or a number or name at `domain`. Raises BadInput.

    Of an address nothing is kept but user, host, port and transport: headers in a URI (`?Replaces=`) could do more than
    call somebody.
    """
    text = text.strip()
    compact = re.sub(r"(?<=[\d+*#])[ ()/.-]+(?=[\d(*#])", "", text)
    if NUMBER.fullmatch(compact) or NAME.fullmatch(compact):
        if not domain:
            raise BadInput(f"{text}: that needs an account to call it with; write sip:{compact}@HOST.")
        return Address(user=compact, host=domain)
    return parse(text if re.match(r"sips?:", text) else f"sip:{text}")
