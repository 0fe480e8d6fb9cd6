"""What the kiosk's screens are told, over a real WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.doors.kiosk.screen import MOST_SCREENS, MOST_UNSENT, Screen
from appliance.web.kiosk import own_screen

IDLE = {"type": "kiosk", "state": "idle", "call": ""}
TALKING = {"type": "kiosk", "state": "listening", "call": "abc"}
Client = TestClient[web.Request, web.Application]


class Kiosk:
    """A screen's other side."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self.screen = Screen(self.pressed.append)
        self.screen.stand(IDLE)


@pytest.fixture
def kiosk() -> Kiosk:
    return Kiosk()


@pytest.fixture
async def client(kiosk: Kiosk) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(kiosk.screen.routes(own_screen))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_screen_is_told_how_things_stand_and_what_changes(kiosk: Kiosk, client: Client) -> None:
    async with client.ws_connect("/kiosk/events") as socket:
        assert await socket.receive_json() == IDLE
        kiosk.screen.stand(TALKING)
        kiosk.screen.tell({"type": "level", "caller_db": -30.0})
        assert [await socket.receive_json() for _ in range(2)] == [TALKING, {"type": "level", "caller_db": -30.0}]
        await socket.send_json({"type": "tap"})
        await socket.send_json({"type": "end"})
        for nonsense in ("", "[]", '{"type": ["tap"]}', '{"type": "reboot"}', "null"):
            await socket.send_str(nonsense)
        await socket.send_json({"type": "tap"})
        kiosk.screen.stand(IDLE)
        assert await socket.receive_json() == IDLE
    assert kiosk.pressed == ["tap", "end", "tap"]


async def test_who_comes_in_the_middle_is_told_what_was_said_and_who_comes_later_is_not(
    kiosk: Kiosk, client: Client
) -> None:
    kiosk.screen.stand(TALKING)
    caption: dict[str, Any] = {"type": "caption", "text": "When are you open?"}
    kiosk.screen.tell(caption, keep=True)
    kiosk.screen.tell({"type": "level"})
    async with client.ws_connect("/kiosk/events") as socket:
        assert [await socket.receive_json() for _ in range(2)] == [TALKING, caption]
    kiosk.screen.stand(IDLE)
    kiosk.screen.stand({**TALKING, "call": "def"})
    async with client.ws_connect("/kiosk/events") as socket:
        assert (await socket.receive_json())["call"] == "def"
        kiosk.screen.stand(IDLE)
        assert await socket.receive_json() == IDLE, "nothing of the last visitor"


async def test_another_sites_page_is_refused(client: Client) -> None:
    response = await client.get("/kiosk/events", headers={"Host": "evil.example"})
    assert response.status == 403
    assert (await response.json())["error"] == "kiosk"


async def test_too_many_screens_and_one_that_takes_nothing(kiosk: Kiosk, client: Client) -> None:
    sockets = [await client.ws_connect("/kiosk/events") for _ in range(MOST_SCREENS)]
    assert (await client.get("/kiosk/events")).status == 503
    for _ in range(MOST_UNSENT + 2):  # nothing is sent before the loop has its turn
        kiosk.screen.tell({"type": "level"})
    assert not kiosk.screen.watched
    for socket in sockets:
        await socket.close()
