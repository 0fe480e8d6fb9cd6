"""What a caller says over the agent: was it meant for us? Its words tell."""

from __future__ import annotations

from contextlib import suppress

from appliance.engines.contracts import Recogniser
from appliance.terms.errors import EngineError
from appliance.terms.units import Pcm

from .turns import TurnTaking
from .wording import murmured


class Overlaps:
    """One call's, one after the other. `words` are those of the last one that was looked at, until `forget`."""

    def __init__(self, stt: Recogniser, turns: TurnTaking) -> None:
        self.words = ""
        self._stt = stt
        self._turns = turns
        self._number = 0

    async def weigh(self, pcm: Pcm, *, asked: bool) -> None:
        """Tell the turn-taking. `asked`: the agent had just asked something, and even a murmur answers.

        While the recogniser is down nobody can tell, and the agent goes on after a while.
        """
        self._number = number = self._number + 1
        with suppress(EngineError):
            words = (await self._stt.transcribe(pcm)).text
            if number == self._number:
                self.words = words
                self._turns.weigh(meant=not murmured(words) or (asked and bool(words)))

    def decide(self) -> None:
        """The caller went on, or is being answered: what is still being looked at does not count any more."""
        self._number += 1

    def forget(self) -> None:
        self.decide()
        self.words = ""
