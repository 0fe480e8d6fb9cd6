"""What can be done with the device's calls, whoever asks: the API, an operator from afar, a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.terms.errors import BadInput, SwitchedOff


class Phone(Protocol):
    """What a phone can do. Each raises BadInput for what makes no sense, EngineError for what came to nothing."""

    @property
    def accounts(self) -> dict[str, str]:
        """Those that should be registered, with why they are not."""

    async def dial(self, to: str, say: str) -> str: ...
    async def redirect(self, call: str, to: str, introduce: str = "") -> None: ...
    async def send_keys(self, call: str, keys: str) -> None: ...
    def hang_up(self, call: str) -> None: ...
    def hold(self, call: str, *, on: bool) -> None: ...


class Held(Protocol):
    """The calls that are being held, by whatever door they came. Each raises BadInput where there is no such call."""

    async def say(self, call: str, words: str) -> None:
        """Raises EngineError where it cannot be said."""

    def mute(self, call: str, *, on: bool) -> None: ...
    def hang_up(self, call: str) -> None: ...

    def __contains__(self, call: str) -> bool: ...


class Verbs:
    """`phone` is asked once it is needed; without one, what needs it raises SwitchedOff."""

    def __init__(self, held: Held, phone: Callable[[], Phone | None]) -> None:
        self.held = held
        self._phone = phone

    @property
    def phone(self) -> Phone:
        phone = self._phone()
        if phone is None:
            raise SwitchedOff("The phone is not connected: set sip.enabled.")
        return phone

    def hang_up(self, call: str) -> None:
        """Of a call of ours that is not answered yet, too. Raises BadInput where there is no such call."""
        if call in self.held or self._phone() is None:
            self.held.hang_up(call)
        else:
            self.phone.hang_up(call)


def no_such_call() -> BadInput:
    return BadInput("There is no such call, or it is over.")
