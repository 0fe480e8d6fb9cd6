from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.doors.sip.digest import VALID_S, Digest


def answer(challenge: str, user: str, password: str, *, qop: bool = True, uri: str = "sip:desk@host") -> str:
    nonce, realm = (re.search(f'{name}="([^"]+)"', challenge)[1] for name in ("nonce", "realm"))  # type: ignore[index]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    middle = f"{nonce}:00000001:abc:auth" if qop else nonce
    response = md5(f"{md5(f'{user}:{realm}:{password}')}:{middle}:{md5(f'INVITE:{uri}')}")
    rest = ', qop=auth, nc=00000001, cnonce="abc"' if qop else ""
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}"{rest}'


@pytest.fixture
def digest() -> Digest:
    return Digest("frontdesk", "geheim", "frontdesk")


@pytest.mark.parametrize("qop", [True, False])
def test_who_knows_the_password_is_admitted(digest: Digest, qop: bool) -> None:
    assert digest.admits(answer(digest.challenge(5.0), "frontdesk", "geheim", qop=qop), "INVITE", 6.0)


def test_an_answer_is_taken_once(digest: Digest) -> None:
    overheard = answer(digest.challenge(5.0), "frontdesk", "geheim")
    assert digest.admits(overheard, "INVITE", 6.0)
    assert not digest.admits(overheard, "INVITE", 6.1)


def test_everybody_else_is_not(digest: Digest) -> None:
    challenge = digest.challenge(5.0)
    assert not digest.admits(answer(challenge, "frontdesk", "wrong"), "INVITE", 6.0)
    assert not digest.admits(answer(challenge, "root", "geheim"), "INVITE", 6.0)
    assert not digest.admits(answer(challenge, "frontdesk", "geheim"), "BYE", 6.0)
    assert not digest.admits(answer(challenge, "frontdesk", "geheim"), "INVITE", 6.0 + VALID_S)
    forged = answer(challenge.replace('nonce="', 'nonce="1'), "frontdesk", "geheim")
    assert not digest.admits(forged, "INVITE", 6.0)
    other = Digest("frontdesk", "geheim", "frontdesk").challenge(5.0)
    assert not digest.admits(answer(other, "frontdesk", "geheim"), "INVITE", 6.0)


@given(st.text(max_size=200))
def test_rubbish_is_not(text: str) -> None:
    digest = Digest("frontdesk", "geheim", "frontdesk")
    assert not digest.admits(text, "INVITE", 1.0)
    assert not digest.admits(f"Digest {text}", "INVITE", 1.0)
