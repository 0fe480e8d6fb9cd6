"""What can be asked of a device from afar, done by the device's own parts."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from appliance.doors.sip.door import SipDoor
from appliance.telemetry.commands import Handler, text
from appliance.terms.errors import BadInput

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


def handlers(phone: Callable[[], SipDoor | None], drain: Callable[[], Awaitable[None]]) -> dict[str, Handler]:
    """By name. `phone` is asked once it is needed."""

    def there() -> SipDoor:
        found = phone()
        if found is None:
            raise BadInput("The phone is not connected.")
        return found

    async def restart(arguments: Mapping[str, Any]) -> None:
        """The service starts it again; calls are brought to an end first."""
        os.kill(os.getpid(), signal.SIGTERM)

    async def drain_(arguments: Mapping[str, Any]) -> None:
        await drain()

    async def call(arguments: Mapping[str, Any]) -> None:
        await there().dial(text(arguments, "to", 300), text(arguments, "say"))

    async def hangup(arguments: Mapping[str, Any]) -> None:
        there().hang_up(text(arguments, "call", 64))

    async def mute(arguments: Mapping[str, Any]) -> None:
        there().mute(text(arguments, "call", 64), on=True)

    async def unmute(arguments: Mapping[str, Any]) -> None:
        there().mute(text(arguments, "call", 64), on=False)

    async def log(arguments: Mapping[str, Any]) -> None:
        level = text(arguments, "level", 10).lower()
        if level not in LEVELS:
            raise BadInput(f"args.level is one of {', '.join(LEVELS)}.")
        logging.getLogger("appliance").setLevel(LEVELS[level])

    return {
        "restart": restart,
        "drain": drain_,
        "call": call,
        "hangup": hangup,
        "mute": mute,
        "unmute": unmute,
        "log": log,
    }
