"""Digest authentication of callers (RFC 3261 section 22, RFC 7616): the challenge, and whether its answer is right.

Pure: takes `now`. Nonces carry their time and a seal, so nothing is kept of a caller who never comes back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import deque

VALID_S = 60.0
PART = re.compile(r"(\w+)\s*=\s*(?:\"([^\"]*)\"|([^\s,]+))")
SEAL_CHARS = 32
MOST_USED = 1000


class Digest:
    """Of one user with one password."""

    def __init__(self, user: str, password: str, realm: str) -> None:
        self._user = user
        self._realm = realm
        self._password = password
        self._secret = secrets.token_bytes(32)
        self._used: deque[str] = deque(maxlen=MOST_USED)
        """Nonces are good once, or who overhears one could use it again."""

    def challenge(self, now: float) -> str:
        """The value of a `WWW-Authenticate` header. `now`: seconds of a monotonic clock."""
        return f'Digest realm="{self._realm}", nonce="{self._nonce(now)}", algorithm=MD5, qop="auth"'

    def admits(self, authorization: str, method: str, now: float) -> bool:
        """Does this `Authorization` header know the password? Of each challenge one answer is taken."""
        scheme, _, rest = authorization.strip().partition(" ")
        parts = {name.lower(): quoted or bare for name, quoted, bare in PART.findall(rest)}
        nonce = parts.get("nonce", "")
        if scheme.lower() != "digest" or nonce in self._used or not self._fresh(nonce, now):
            return False
        a1 = _md5(f"{self._user}:{self._realm}:{self._password}")
        a2 = _md5(f"{method}:{parts.get('uri', '')}")
        middle = [nonce]
        if parts.get("qop"):
            middle += [parts.get("nc", ""), parts.get("cnonce", ""), parts["qop"]]
        right = _md5(":".join([a1, *middle, a2]))
        known = hmac.compare_digest(right.encode(), parts.get("response", "").lower().encode("utf-8", "replace"))
        user = hmac.compare_digest(self._user.encode(), parts.get("username", "").encode("utf-8", "replace"))
        if known and user:
            self._used.append(nonce)
        return known and user

    def _nonce(self, now: float) -> str:
        moment = f"{int(now * 1000):x}"
        return f"{moment}.{self._seal(moment)}"

    def _fresh(self, nonce: str, now: float) -> bool:
        moment, _, seal = nonce.partition(".")
        if not hmac.compare_digest(self._seal(moment).encode(), seal.encode("utf-8", "replace")):
            return False
        return 0 <= now - int(moment, 16) / 1000 <= VALID_S

    def _seal(self, moment: str) -> str:
        return hmac.new(self._secret, moment.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:SEAL_CHARS]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
