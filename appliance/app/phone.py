"""The phone as the device runs it: the SIP worker, and the door in front of it."""

from __future__ import annotations

from collections.abc import Callable

from appliance.doors.sip.callers import Callers
from appliance.doors.sip.door import SipDoor
from appliance.doors.sip.options import options
from appliance.doors.sip.peers import Peers
from appliance.doors.sip.waiting import music
from appliance.terms.clock import Clock
from appliance.terms.config import Config
from appliance.terms.errors import ConfigError
from appliance.terms.events import Event
from appliance.workers.supervisor import Worker

from . import settings
from .calls import Calls

MOST_PENDING = 256
MEND = "Is another program using this address and port? See sip.listen."


def open_phone(config: Config, calls: Calls, clock: Clock, emit: Callable[[Event], None]) -> SipDoor | None:
    """None where the phone is off. Raises ConfigError with every problem of [sip]."""
    if not config.sip.enabled:
        return None
    check_phone(config)
    worker = Worker(
        "sip",
        "appliance.doors.sip.stack:SipStack",
        options(config.sip, config.limits.calls),
        emit=emit,
        max_pending=MOST_PENDING,
        mend=MEND,
    )
    return SipDoor(
        worker, config.sip, answer=calls.answer, admit=calls.admit, speak=calls.speak, clock=clock, emit=emit
    )


def check_phone(config: Config) -> None:
    """Raises ConfigError with every problem of [sip] that is found without starting anything."""
    settings.check(
        lambda: Callers(config.sip),
        lambda: options(config.sip, config.limits.calls),
        lambda: music(config.sip.hold_music),
        lambda: _trusted(config),
    )


def _trusted(config: Config) -> None:
    try:
        Peers([], config.sip.trusted)
    except ValueError as error:
        raise ConfigError([f"sip.trusted: {error}"]) from error
