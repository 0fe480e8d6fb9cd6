"""Whose turn it is: a table, fed with what silero hears and judged by three witnesses.

    state     signal     becomes   says
    ─────────────────────────────────────────────────
    quiet     onset      voiced    SpeechBegan
    quiet     overlap    over      –                   the agent talks: it lowers its voice
    voiced    lull       paused    PauseBegan          a reply is prepared from here on
    voiced    overlong   quiet     TurnOver
    paused    onset      voiced    SpeechResumed       … perhaps in vain
    paused    settled    quiet     TurnOver            the pause lasted as long as the witnesses ask for
    paused    overlong   quiet     TurnOver
    over      alone      voiced    SpeechBegan         the agent had finished anyway
    over      insisted   held      ReplyHeld           the agent falls silent, and does not lose its place
    over      faded      quiet     –
    held      certain    voiced    SpeechBegan         an interruption
    held      stopped    weighed   OverlapEnded        was it meant for us? its words tell
    weighed   onset      held      –
    weighed   meant      paused    SpeechBegan, PauseBegan
    weighed   murmured   quiet     ReplyResumed        a murmur, a cough, a noise: the agent goes on
    weighed   forgotten  quiet     ReplyResumed        nobody could tell

*Onset*: 96 ms of speech. *Overlap*: the same while the agent talks; *insisted* 224 ms of it, *certain* 1 s: no
murmur is that long. *Lull*: 64 ms without speech, or 60 ms of silence. *Faded*, *stopped*: 192 ms without speech.
*Settled*: how long the pause must last depends on what the witnesses say of it:

    the words         the sound is finished (smart-turn)     not asked, or down     it is not
    ──────────────────────────────────────────────────────────────────────────────────────────
    ask               200 ms                                 200 ms                 400 ms
    perhaps ask       350 ms                                 500 ms                 750 ms
    tell something    700 ms                                 800 ms                 1000 ms
    are unfinished    1100 ms                                1300 ms                max_pause
    are dictated      1100 ms                                1300 ms                max_pause
    are not known     max_pause                              max_pause              max_pause

All are multiplied by the owner's `turns.patience`. What is not 200 ms is longer for a caller who pauses long
(`pauses.py`), everything for one who was cut off; max_pause is the longest in any case. Times are seconds of whatever
clock the caller uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .pauses import Pauses
from .wording import Words

SPEECH = 0.5
STILL_SPEECH = 0.35
"""silero's own hysteresis: speech begins above one and lasts while it stays above the other."""
CHUNK_S = 0.032
ONSET_S = 0.096
ONSET_GAP_S = 0.1
LULL_S = 0.064
HUSH_S = 0.06
"""silero's probability fades for some 60 ms after the last sound: where there is silence, nobody waits for that."""
FADING_S = 0.04
"""What silero still takes for speech after so much silence is none."""
INSISTED_S = 0.224
CERTAIN_S = 1.0
FADED_S = 0.192
FORGOTTEN_S = 2.0

CONFIDENT_S = 0.2
FINISHED = 0.5
"""smart-turn's probability from which a sound is finished."""
NEVER = 60.0
NEEDED: dict[Words | None, tuple[float, float, float]] = {
    Words.ASKED: (CONFIDENT_S, CONFIDENT_S, 0.4),
    Words.LIKELY: (0.26, 0.5, 0.75),
    Words.PERHAPS: (0.35, 0.5, 0.75),
    Words.TOLD: (0.7, 0.8, 1.0),
    Words.UNFINISHED: (1.1, 1.3, NEVER),
    Words.DICTATED: (1.1, 1.3, NEVER),
    None: (NEVER, NEVER, NEVER),
}
"""Seconds of pause where the sound is finished, unknown, unfinished; NEVER: max_pause."""


class Floor(Enum):
    """Where the caller's turn stands."""

    QUIET = auto()
    VOICED = auto()
    PAUSED = auto()
    OVER = auto()
    HELD = auto()
    WEIGHED = auto()


class Signal(Enum):
    ONSET = auto()
    OVERLAP = auto()
    ALONE = auto()
    INSISTED = auto()
    FADED = auto()
    CERTAIN = auto()
    STOPPED = auto()
    MEANT = auto()
    MURMURED = auto()
    FORGOTTEN = auto()
    LULL = auto()
    SETTLED = auto()
    OVERLONG = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """`since`: when its first chunk arrived. `over_agent`: it interrupts."""

    at: float
    since: float
    over_agent: bool


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHeld:
    """`since`: when the first speech chunk of the overlap arrived."""

    at: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapEnded:
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyResumed:
    at: float


TurnEvent = SpeechBegan | SpeechResumed | PauseBegan | TurnOver | ReplyHeld | OverlapEnded | ReplyResumed

TABLE: dict[tuple[Floor, Signal], tuple[Floor, tuple[type[TurnEvent], ...]]] = {
    (Floor.QUIET, Signal.ONSET): (Floor.VOICED, (SpeechBegan,)),
    (Floor.QUIET, Signal.OVERLAP): (Floor.OVER, ()),
    (Floor.VOICED, Signal.LULL): (Floor.PAUSED, (PauseBegan,)),
    (Floor.VOICED, Signal.OVERLONG): (Floor.QUIET, (TurnOver,)),
    (Floor.PAUSED, Signal.ONSET): (Floor.VOICED, (SpeechResumed,)),
    (Floor.PAUSED, Signal.SETTLED): (Floor.QUIET, (TurnOver,)),
    (Floor.PAUSED, Signal.OVERLONG): (Floor.QUIET, (TurnOver,)),
    (Floor.OVER, Signal.ALONE): (Floor.VOICED, (SpeechBegan,)),
    (Floor.OVER, Signal.INSISTED): (Floor.HELD, (ReplyHeld,)),
    (Floor.OVER, Signal.FADED): (Floor.QUIET, ()),
    (Floor.HELD, Signal.CERTAIN): (Floor.VOICED, (SpeechBegan,)),
    (Floor.HELD, Signal.STOPPED): (Floor.WEIGHED, (OverlapEnded,)),
    (Floor.WEIGHED, Signal.ONSET): (Floor.HELD, ()),
    (Floor.WEIGHED, Signal.MEANT): (Floor.PAUSED, (SpeechBegan, PauseBegan)),
    (Floor.WEIGHED, Signal.MURMURED): (Floor.QUIET, (ReplyResumed,)),
    (Floor.WEIGHED, Signal.FORGOTTEN): (Floor.QUIET, (ReplyResumed,)),
}
SPEAKING = (Floor.VOICED, Floor.OVER, Floor.HELD)
WITH_AGENT = (Floor.OVER, Floor.HELD, Floor.WEIGHED)


class TurnTaking:
    """One caller's turns. `hear` every frame; `judge` and `weigh` when a witness has spoken."""

    def __init__(self, patience: float = 1.0, *, max_pause_s: float, max_turn_s: float) -> None:
        """`patience`: so many times as long as above must a pause last."""
        self.floor = Floor.QUIET
        self.pauses = Pauses()
        self._patience = patience
        self._max_pause_s = max_pause_s
        self._max_turn_s = max_turn_s
        self._run_s = 0.0
        """Speech of the present onset, or of the whole overlap; `_run_since`: when its first chunk arrived."""
        self._run_since = 0.0
        self._quiet_s = 0.0
        self._last_speech = 0.0
        self._began = 0.0
        self._entered = 0.0
        self._paused_since = 0.0
        self._sound: float | None = None
        self._words: Words | None = None
        self._meant: bool | None = None

    def judge(self, *, sound: float | None = None, words: Words | None = None) -> None:
        """A witness of the present pause: the probability that the sound is finished; what the words are."""
        if sound is not None:
            self._sound = sound
        if words is not None:
            self._words = words

    def weigh(self, *, meant: bool) -> None:
        """What was said over the agent asks for something, or does not."""
        self._meant = meant

    def needed_pause_s(self) -> float:
        """How long the present pause must last, by what the witnesses said so far."""
        finished, unknown, unfinished = NEEDED[self._words]
        needed = unknown if self._sound is None else (finished if self._sound >= FINISHED else unfinished)
        plain, needed = needed <= CONFIDENT_S, needed * self._patience
        if not plain:
            needed = max(needed, self.pauses.patience_s())
        return min(needed + self.pauses.caution_s(), self._max_pause_s)

    def hear(
        self, chunks: tuple[float, ...], now: float, *, agent_talking: bool = False, quiet_s: float = 0.0
    ) -> list[TurnEvent]:
        """silero's probabilities for the 32 ms chunks that arrived by `now`, after `quiet_s` of silence, and what
        follows from them."""
        self._quiet_s = quiet_s
        for probability in chunks:
            self._listen(probability, now)
        events: list[TurnEvent] = []
        for signal in Signal:
            step = TABLE.get((self.floor, signal))
            if step is not None and self._holds(signal, now, agent_talking):
                events += self._enter(*step, now)
        return events

    def _listen(self, probability: float, now: float) -> None:
        heard = probability >= (STILL_SPEECH if self.floor in SPEAKING else SPEECH)
        if heard and self._quiet_s < FADING_S:
            if self._run_s == 0.0:
                self._run_since = now
            self._run_s += CHUNK_S
            self._last_speech = now
        elif now - self._last_speech > ONSET_GAP_S and self.floor not in WITH_AGENT:
            self._run_s = 0.0

    def _holds(self, signal: Signal, now: float, agent_talking: bool) -> bool:
        pause = now - self._last_speech
        begun = self._run_s >= ONSET_S and pause < LULL_S
        match signal:
            case Signal.ONSET:
                return pause < LULL_S if self.floor is Floor.WEIGHED else begun and not agent_talking
            case Signal.OVERLAP:
                return begun and agent_talking
            case Signal.ALONE:
                return not agent_talking
            case Signal.INSISTED:
                return self._run_s >= INSISTED_S
            case Signal.CERTAIN:
                return self._run_s >= CERTAIN_S
            case Signal.FADED | Signal.STOPPED:
                return pause >= FADED_S
            case Signal.MEANT:
                return self._meant is True
            case Signal.MURMURED:
                return self._meant is False
            case Signal.FORGOTTEN:
                return now - self._entered >= FORGOTTEN_S
            case Signal.LULL:
                return pause >= LULL_S or self._quiet_s >= HUSH_S
            case Signal.SETTLED:
                return pause >= self.needed_pause_s()
            case Signal.OVERLONG:
                return now - self._began >= self._max_turn_s

    def _enter(self, floor: Floor, says: tuple[type[TurnEvent], ...], now: float) -> list[TurnEvent]:
        over_agent, self.floor = self.floor in WITH_AGENT, floor
        pause = now - self._last_speech
        self._entered = now
        if SpeechResumed in says:
            self.pauses.within(now - ONSET_S - self._paused_since)
        if SpeechBegan in says:
            self._began = now
        if floor in (Floor.VOICED, Floor.WEIGHED):
            self._sound = self._words = self._meant = None
        if floor is Floor.PAUSED:
            self._paused_since = now - pause
        if floor in (Floor.QUIET, Floor.PAUSED, Floor.VOICED):
            self._run_s = 0.0
        return [self._event(kind, now, self._run_since, over_agent) for kind in says]

    def _event(self, kind: type[TurnEvent], now: float, since: float, over_agent: bool) -> TurnEvent:
        if kind is SpeechBegan:
            return SpeechBegan(at=now, since=since, over_agent=over_agent)
        if kind is ReplyHeld:
            return ReplyHeld(at=now, since=since)
        if kind is PauseBegan or kind is TurnOver:
            return kind(at=now, since=self._last_speech)
        return kind(at=now)  # type: ignore[call-arg]
