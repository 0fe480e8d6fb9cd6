"""The device that runs on this computer, asked by the command line over its own HTTP API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import aiohttp

from appliance.terms.errors import BadInput, DeviceError
from appliance.web.owner import token
from appliance.web.server import url

from . import settings
from .places import state_dir

ANSWER_WITHIN_S = 10.0
LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "localhost")


async def get(config: Path | None, path: str) -> dict[str, Any]:
    """What it answers. Raises DeviceError where it does not, BadInput where it knows no such call."""
    return await _ask(config, "GET", path, None)


async def post(config: Path | None, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The same; BadInput too where it does not want to do that."""
    return await _ask(config, "POST", path, body)


async def _ask(config: Path | None, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    http = settings.load(config, os.environ).http
    address = LOOPBACK if http.host in EVERYWHERE else http.host
    base = url(address, http.port, secure=bool(http.tls))
    headers = {"Authorization": f"Bearer {token(state_dir(os.environ))}"}
    # No authority knows the device's own certificate; the token does not leave the device.
    connector = aiohttp.TCPConnector(ssl=False)
    timeout = aiohttp.ClientTimeout(ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
        try:
            response = await session.request(method, base + path, json=body)
            answer: dict[str, Any] = await response.json() if response.status != 204 else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DeviceError(
                f"{base} does not answer: {error or type(error).__name__}",
                mend="Is it running, with this configuration?",
            ) from error
    if response.status == 404:
        raise BadInput(answer["message"], mend="See `frontdesk calls list`.")
    if response.status in (400, 409):
        raise BadInput(answer["message"])
    if not response.ok:
        raise DeviceError(f"{base}: {answer.get('message', response.status)}", mend="Run this as the device's user.")
    return answer
