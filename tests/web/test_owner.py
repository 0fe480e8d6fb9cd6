"""Who may see the device's calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from appliance.terms.errors import DeviceError
from appliance.web.owner import COOKIE, FILE, Owner, token
from appliance.web.server import WebServer


async def _secret(request: web.Request) -> web.Response:
    return web.json_response({"secret": True})


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Its address and its owner's token."""
    key = token(tmp_path)
    owner = Owner(key)
    routes = [*owner.routes(), web.get("/api/secret", owner.only(_secret))]
    server = WebServer(business="House", routes=routes, missing=list, host="127.0.0.1", port=0)
    await server.start()
    yield server.url, key
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


def test_the_token_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    first = token(tmp_path / "state")
    assert token(tmp_path / "state") == first
    assert len(first) >= 32
    assert (tmp_path / "state" / FILE).stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_made_anew_and_a_damaged_one_named(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert token(tmp_path)
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(DeviceError, match="owner-token"):
        token(tmp_path)


async def test_a_program_sends_the_token(device: tuple[str, str], http: aiohttp.ClientSession) -> None:
    url, key = device
    for sent, status in ((f"Bearer {key}", 200), (f"Bearer {key}x", 401), (f"bearer {key}", 401), ("Bearer ", 401)):
        async with http.get(f"{url}api/secret", headers={"Authorization": sent}) as response:
            assert response.status == status, sent
    async with http.get(f"{url}api/secret") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"] == "owner"


async def test_a_browser_trades_it_for_a_cookie(device: tuple[str, str], http: aiohttp.ClientSession) -> None:
    url, key = device
    async with http.post(f"{url}api/owner", json={"token": f" {key}\n"}) as response:
        assert response.status == 200
        cookie = response.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], key in cookie.value) == (True, "Strict", False)
    async with http.get(f"{url}api/secret") as response:
        assert response.status == 200
    async with http.delete(f"{url}api/owner") as response:
        assert response.status == 200
    async with http.get(f"{url}api/secret") as response:
        assert response.status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b'{"key": 1}', b"\xff", b'{"token": {}}', b'{"token": "\\ud800"}'])
async def test_what_is_no_token_is_refused(device: tuple[str, str], http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post(f"{device[0]}api/owner", data=body, headers={"Content-Type": "application/json"}) as response:
        assert response.status in (400, 401)
        assert "message" in await response.json()


async def test_another_site_is_refused(device: tuple[str, str], http: aiohttp.ClientSession) -> None:
    url, key = device
    headers = {"Authorization": f"Bearer {key}", "Origin": "http://evil.example"}
    async with http.get(f"{url}api/secret", headers=headers) as response:
        assert response.status == 403


def test_a_state_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(DeviceError, match="owner-token"):
        token(tmp_path / "state")
