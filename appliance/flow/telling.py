"""What a call tells while it goes on: to its caller's screen, and to whoever else listens."""

from __future__ import annotations

from collections.abc import Callable

from appliance.knowledge.taking import Message
from appliance.knowledge.visiting import Arrived
from appliance.terms.events import CallerForgotten, Caption, Event, MessageTaken, State, StateChanged, VisitorArrived
from appliance.terms.line import Line


class Telling:
    """One call's. Every event goes to `emit` and to the line itself."""

    def __init__(self, line: Line, emit: Callable[[Event], None]) -> None:
        self._line = line
        self._emit = emit
        self._state = State.WAITING

    def tell(self, event: Event) -> None:
        self._line.tell(event)
        self._emit(event)

    def show(self, state: State) -> None:
        """Told only where it is another one."""
        if state is not self._state:
            self._state = state
            self.tell(StateChanged(call=self._line.call, state=state))

    def caller_says(self, turn: int, words: str, *, stable: bool, settled: int = 0) -> None:
        """Of the words so far the first `settled` will hardly change; none take the turn's caption back."""
        call = self._line.call
        self.tell(Caption(call=call, turn=turn, who="caller", text=words, stable=stable, settled=settled))

    def agent_says(self, turn: int, words: str, duration_ms: float) -> None:
        """From now on, for so long. Turn 0: it is no reply."""
        self.tell(Caption(call=self._line.call, turn=turn, who="agent", text=words, duration_ms=duration_ms))

    def arrived(self, visitor: Arrived) -> None:
        """Somebody has come to see somebody."""
        self.tell(VisitorArrived(call=self._line.call, door=self._line.door, host=visitor.host, name=visitor.name))

    def forgotten(self) -> None:
        """The caller wants nothing to be remembered of them."""
        self.tell(CallerForgotten(call=self._line.call))

    def take(self, message: Message) -> None:
        """The caller wants it passed on."""
        to, text, name, number = message.to, message.text, message.name, message.number
        call, door = self._line.call, self._line.door
        self.tell(MessageTaken(call=call, door=door, to=to, text=text, name=name, number=number))
