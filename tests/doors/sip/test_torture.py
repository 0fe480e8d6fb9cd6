"""Messages that no phone would send, and many that differ from good ones in a few bytes: the phone goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from dataclasses import replace

import pytest

from appliance.bench.switchboard import TRUSTING, Phone, phone, tone

from .conftest import echo, telephone
from .torture import MESSAGES

UNBANNED = replace(TRUSTING, trusted=["127.0.0.0/8"], allow=["tester@*"])
"""Nobody who sends rubbish is banned, or there would be no test."""
MUTATED = 10_000
SEED = 4475


def mutated(message: bytes, dice: random.Random) -> bytes:
    """With a few bytes changed, cut, doubled or moved."""
    data = bytearray(message)
    for _ in range(dice.randint(1, 6)):
        if not data:
            break
        at, length = dice.randrange(len(data)), dice.randint(1, 40)
        match dice.randrange(5):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * dice.randint(1, 8)
            case 3:
                data[at:at] = dice.randbytes(length)
            case 4:
                del data[at:]
    return bytes(data[:8000])


async def send(desk: Phone, messages: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.77", 0))
        for count, message in enumerate(messages):
            stranger.sendto(message, ("127.0.0.1", desk.port))
            if count % 50 == 0:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["as they are", "mutated"])
async def test_the_phone_survives_and_its_call_goes_on(kind: str) -> None:
    dice = random.Random(SEED)
    good = list(MESSAGES.values())
    messages = good if kind == "as they are" else [mutated(dice.choice(good), dice) for _ in range(MUTATED)]
    async with phone(UNBANNED, echo) as desk, telephone() as caller, telephone() as another:
        await caller.call(desk.uri)
        await send(desk, messages)
        caller.heard.clear()
        caller.voiced.clear()
        caller.say(tone(0.6, 8000))
        await desk.until(lambda: len(caller.voiced) > 15)
        assert desk.worker.restarts == 0
        assert not caller.ended.is_set()
        await another.call(desk.uri)


async def test_connections_that_send_rubbish_are_survived(desk: Phone) -> None:
    dice = random.Random(SEED)
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(b"".join(mutated(message, dice) for message in dice.sample(list(MESSAGES.values()), 5)))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()
    async with telephone() as caller:
        await caller.call(desk.uri)
    assert desk.worker.restarts == 0
