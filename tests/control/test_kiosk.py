"""The kiosk over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.control.kiosk import KioskApi
from appliance.web.owner import Owner

OWNER = {"Authorization": "Bearer the-token"}
Client = TestClient[web.Request, web.Application]


class Kiosk:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tap(self) -> None:
        self.told.append("tap")

    def end(self) -> None:
        self.told.append("end")

    def presence(self, *, somebody: bool) -> None:
        self.told.append(somebody)

    def about(self) -> dict[str, Any]:
        return {"state": "idle", "why": ""}


@pytest.fixture
def kiosk() -> Kiosk:
    return Kiosk()


@pytest.fixture
async def client(kiosk: Kiosk) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(KioskApi(kiosk, Owner("the-token").only).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_button_and_a_sensor(kiosk: Kiosk, client: Client) -> None:
    for path, body in (
        ("tap", None),
        ("end", None),
        ("presence", {"somebody": True}),
        ("presence", {"somebody": False}),
    ):
        response = await client.post(f"/api/kiosk/{path}", json=body, headers=OWNER)
        assert response.status == 204
    assert kiosk.told == ["tap", "end", True, False]
    assert await (await client.get("/api/kiosk", headers=OWNER)).json() == {"state": "idle", "why": ""}


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"somebody": 1}', b'{"present": true}', b"\xff"])
async def test_what_no_sensor_says_is_refused(kiosk: Kiosk, client: Client, body: bytes) -> None:
    response = await client.post("/api/kiosk/presence", data=body, headers=OWNER)
    assert response.status == 400
    assert (await response.json())["message"]
    assert kiosk.told == []


@pytest.mark.parametrize("path", ["", "/tap", "/end", "/presence"])
async def test_it_is_the_owners(kiosk: Kiosk, client: Client, path: str) -> None:
    method = client.post if path else client.get
    assert (await method(f"/api/kiosk{path}")).status == 401
    assert kiosk.told == []
