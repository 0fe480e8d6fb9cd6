"""What can be asked of a device from afar, done by the device's own parts."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from appliance.control.kiosk import Kiosk, somebody
from appliance.control.verbs import Verbs
from appliance.telemetry.commands import Handler, text
from appliance.terms.errors import BadInput

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
Answer = Mapping[str, Any] | None


def handlers(
    verbs: Verbs,
    *,
    mute_all: Callable[[bool], None],
    drain: Callable[[], Awaitable[None]],
    canary: Callable[[], Awaitable[Mapping[str, Any]]],
    kiosk: Callable[[], Kiosk],
) -> dict[str, Handler]:
    """By name."""

    async def restart(arguments: Mapping[str, Any]) -> Answer:
        """The service starts it again; calls are brought to an end first."""
        os.kill(os.getpid(), signal.SIGTERM)
        return None

    async def drain_(arguments: Mapping[str, Any]) -> Answer:
        await drain()
        return None

    async def call(arguments: Mapping[str, Any]) -> Answer:
        return {"call": await verbs.phone.dial(text(arguments, "to", 300), text(arguments, "say"))}

    async def say(arguments: Mapping[str, Any]) -> Answer:
        await verbs.held.say(text(arguments, "call", 64), text(arguments, "words"))
        return None

    async def hangup(arguments: Mapping[str, Any]) -> Answer:
        verbs.hang_up(text(arguments, "call", 64))
        return None

    def muting(usually: bool) -> Handler:
        async def mute(arguments: Mapping[str, Any]) -> Answer:
            """Of one call, or, where none is named, of the whole device."""
            on = arguments.get("on", usually)
            if not isinstance(on, bool):
                raise BadInput("args.on must be true or false.")
            if "call" in arguments:
                verbs.held.mute(text(arguments, "call", 64), on=on)
            else:
                mute_all(on)
            return None

        return mute

    async def canary_(arguments: Mapping[str, Any]) -> Answer:
        return {"turn": await canary()}

    async def log(arguments: Mapping[str, Any]) -> Answer:
        level = text(arguments, "level", 10).lower()
        if level not in LEVELS:
            raise BadInput(f"args.level is one of {', '.join(LEVELS)}.")
        logging.getLogger("appliance").setLevel(LEVELS[level])
        return None

    async def tap(arguments: Mapping[str, Any]) -> Answer:
        kiosk().tap()
        return None

    async def presence(arguments: Mapping[str, Any]) -> Answer:
        kiosk().presence(somebody=somebody(arguments))
        return None

    return {
        "tap": tap,
        "presence": presence,
        "restart": restart,
        "drain": drain_,
        "call": call,
        "say": say,
        "hangup": hangup,
        "mute": muting(True),
        "unmute": muting(False),
        "canary": canary_,
        "log": log,
    }
