"""Whose turn it is: a table, fed with what silero hears and judged by three witnesses.

    state    signal    becomes   says
    ───────────────────────────────────────────
    quiet    onset     voiced    SpeechBegan
    voiced   lull      paused    PauseBegan      the reply is prepared from here on
    voiced   overlong  quiet     TurnOver
    paused   onset     voiced    SpeechResumed   … and was prepared in vain
    paused   settled   quiet     TurnOver        the pause lasted as long as the witnesses ask for
    paused   overlong  quiet     TurnOver

*Onset*: 96 ms of speech; while the agent is audible, 256 ms (a murmur is no interruption).
*Lull*: 64 ms without speech.
*Settled*: how long the pause must last depends on what the witnesses say:

    the sound is finished (smart-turn)   the words are   pause
    ─────────────────────────────────────────────────────────────
    yes                                  finished        450 ms
    not asked, or down                   finished        650 ms
    no                                   finished        750 ms
    yes                                  unfinished      850 ms
    anything else                                        max_pause_ms

A breath of 300 ms never ends a turn. Times are seconds of whatever clock the caller uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

SPEECH = 0.5
STILL_SPEECH = 0.35
"""silero's own hysteresis: speech begins above one and lasts while it stays above the other."""
CHUNK_S = 0.032
ONSET_S = 0.096
ONSET_OVER_AGENT_S = 0.256
ONSET_GAP_S = 0.1
LULL_S = 0.064

BOTH_FINISHED_S = 0.45
WORDS_ALONE_S = 0.65
WORDS_AGAINST_SOUND_S = 0.75
SOUND_AGAINST_WORDS_S = 0.85
FINISHED = 0.5


class Floor(Enum):
    """Where the caller's turn stands."""

    QUIET = auto()
    VOICED = auto()
    PAUSED = auto()


class Signal(Enum):
    ONSET = auto()
    LULL = auto()
    SETTLED = auto()
    OVERLONG = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechResumed:
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseBegan:
    """`since`: when the last speech chunk arrived."""

    at: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOver:
    at: float
    since: float


TurnEvent = SpeechBegan | SpeechResumed | PauseBegan | TurnOver

TABLE: dict[tuple[Floor, Signal], tuple[Floor, type[TurnEvent]]] = {
    (Floor.QUIET, Signal.ONSET): (Floor.VOICED, SpeechBegan),
    (Floor.VOICED, Signal.LULL): (Floor.PAUSED, PauseBegan),
    (Floor.VOICED, Signal.OVERLONG): (Floor.QUIET, TurnOver),
    (Floor.PAUSED, Signal.ONSET): (Floor.VOICED, SpeechResumed),
    (Floor.PAUSED, Signal.SETTLED): (Floor.QUIET, TurnOver),
    (Floor.PAUSED, Signal.OVERLONG): (Floor.QUIET, TurnOver),
}


class TurnTaking:
    """One caller's turns. `hear` every frame; `judge` when a witness has spoken."""

    def __init__(self, *, max_pause_s: float, max_turn_s: float) -> None:
        self.floor = Floor.QUIET
        self._max_pause_s = max_pause_s
        self._max_turn_s = max_turn_s
        self._run_s = 0.0
        self._last_speech = 0.0
        self._began = 0.0
        self._sound: bool | None = None
        self._words: bool | None = None

    def judge(self, *, sound: float | None = None, words: bool | None = None) -> None:
        """A witness of the present pause: the probability that the sound is finished; whether the words are."""
        if sound is not None:
            self._sound = sound >= FINISHED
        if words is not None:
            self._words = words

    def needed_pause_s(self) -> float:
        """How long the present pause must last, by what the witnesses said so far."""
        match self._sound, self._words:
            case True, True:
                needed = BOTH_FINISHED_S
            case None, True:
                needed = WORDS_ALONE_S
            case False, True:
                needed = WORDS_AGAINST_SOUND_S
            case True, False:
                needed = SOUND_AGAINST_WORDS_S
            case _:
                needed = self._max_pause_s
        return min(needed, self._max_pause_s)

    def hear(self, chunks: tuple[float, ...], now: float, *, agent_audible: bool = False) -> list[TurnEvent]:
        """silero's probabilities for the 32 ms chunks that arrived by `now`, and what follows from them."""
        for probability in chunks:
            self._listen(probability, now)
        onset = ONSET_OVER_AGENT_S if agent_audible else ONSET_S
        events: list[TurnEvent] = []
        for signal in Signal:
            step = TABLE.get((self.floor, signal))
            if step is not None and self._holds(signal, now, onset):
                self.floor, event = step
                events.append(self._enter(event, now))
        return events

    def _listen(self, probability: float, now: float) -> None:
        if probability >= (STILL_SPEECH if self.floor is Floor.VOICED else SPEECH):
            self._run_s += CHUNK_S
            self._last_speech = now
        elif now - self._last_speech > ONSET_GAP_S:
            self._run_s = 0.0

    def _holds(self, signal: Signal, now: float, onset: float) -> bool:
        pause = now - self._last_speech
        match signal:
            case Signal.ONSET:
                return self._run_s >= onset and pause < LULL_S
            case Signal.LULL:
                return pause >= LULL_S
            case Signal.SETTLED:
                return pause >= self.needed_pause_s()
            case Signal.OVERLONG:
                return now - self._began >= self._max_turn_s

    def _enter(self, event: type[TurnEvent], now: float) -> TurnEvent:
        if event is SpeechBegan:
            self._began = now
        if self.floor is Floor.VOICED:
            self._sound = self._words = None
        else:
            self._run_s = 0.0
        if event is PauseBegan or event is TurnOver:
            return event(at=now, since=self._last_speech)
        return event(at=now)  # type: ignore[call-arg]


UNFINISHED = re.compile(
    r"\b(?:a|an|and|about|at|because|but|for|from|i|if|in|is|it's|i'm|like|my|of|on|or|our|please tell|so|than|that|the"
    r"|their|to|um|uh|was|were|when|where|which|who|with|would|your|could you|can you|know|tell me|wondering|wanted)"
    r"[,.…\-\s]*$",
    re.IGNORECASE,
)


def finished(text: str) -> bool:
    """Do these words make a whole utterance? A trailing "and" or "my name is", a comma or an ellipsis does not."""
    text = text.strip()
    if text.endswith(("...", "…", ",", "-", "—", ":")):
        return False
    return bool(text) and not UNFINISHED.search(text)
