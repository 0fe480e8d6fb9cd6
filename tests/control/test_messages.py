"""The messages' HTTP API."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.control.api import Handler
from appliance.control.messages import MessagesApi
from appliance.terms.errors import BadInput, DeviceError


class Kept:
    def __init__(self) -> None:
        self.done: list[int] = []
        self.lost = False

    async def all(self) -> list[dict[str, Any]]:
        if self.lost:
            raise DeviceError("the disk is lost")
        return [{"id": 1, "text": "Come.", "done": 1 in self.done}]

    async def done_with(self, number: int) -> None:
        if number != 1:
            raise BadInput("There is no such message.")
        self.done.append(number)


def owner_only(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request) if request.headers.get("Owner") else web.Response(status=401)

    return handle


@pytest.fixture
def kept() -> Kept:
    return Kept()


def serving(kept: Kept) -> TestClient[web.Request, web.Application]:
    app = web.Application()
    app.add_routes(MessagesApi(kept, owner_only).routes())
    return TestClient(TestServer(app), headers={"Owner": "1"})


async def test_the_owner_reads_them_and_is_done_with_them(kept: Kept) -> None:
    async with serving(kept) as client:
        assert await (await client.get("/api/messages")).json() == {
            "messages": [{"id": 1, "text": "Come.", "done": False}]
        }
        assert (await client.post("/api/messages/1/done")).status == 204
        assert (await (await client.get("/api/messages")).json())["messages"][0]["done"]


@pytest.mark.parametrize("number", ["2", "x", "-1", "1" * 13])
async def test_what_is_no_message_is_refused(kept: Kept, number: str) -> None:
    async with serving(kept) as client:
        response = await client.post(f"/api/messages/{number}/done")
        assert response.status == 400
        assert (await response.json())["message"]


async def test_a_lost_disk_is_told(kept: Kept) -> None:
    kept.lost = True
    async with serving(kept) as client:
        response = await client.get("/api/messages")
        assert (response.status, (await response.json())["message"]) == (503, "the disk is lost")


async def test_nobody_else_may(kept: Kept) -> None:
    async with serving(kept) as client:
        assert (await client.get("/api/messages", headers={"Owner": ""})).status == 401
        assert (await client.post("/api/messages/1/done", headers={"Owner": ""})).status == 401
    assert kept.done == []
