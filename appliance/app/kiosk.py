"""The kiosk as the device runs it: its door, its screen, and what other programs may do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from appliance.doors.kiosk.door import CLOSED, KioskDoor
from appliance.doors.kiosk.hook import Hook
from appliance.doors.kiosk.wake import NearSpeech, Recognise, Waker, Word, called
from appliance.engines.contracts import Recogniser, Transcript
from appliance.engines.local.precedence import for_visitor
from appliance.flow.desk import Desk
from appliance.flow.vad import Silero, VoiceDetector
from appliance.terms.clock import Clock
from appliance.terms.config import Config, KioskConfig
from appliance.terms.errors import EngineError
from appliance.terms.events import Event
from appliance.terms.units import Pcm
from appliance.web.kiosk import KioskPage

from . import settings
from .calls import Calls


def open_kiosk(
    config: Config,
    calls: Calls,
    stt: Recogniser,
    missing: Callable[[], list[str]],
    clock: Clock,
    emit: Callable[[Event], None],
) -> KioskDoor | None:
    """None where it is off. `stt` hears whether a wake word was said. Raises ConfigError with every problem of
    [kiosk]."""
    if not config.kiosk.enabled:
        return None
    check_kiosk(config.kiosk)
    waker, word = _waker(config.kiosk, stt)
    return KioskDoor(
        config.kiosk,
        answer=partial(calls.answer_visitor, adapt=partial(_adapted, config.kiosk, word)),
        admit=calls.admit_visitor,
        missing=lambda: [CLOSED] if calls.draining else missing(),
        waker=waker,
        word=word,
        clock=clock,
        emit=emit,
    )


def _adapted(config: KioskConfig, word: str, desk: Desk) -> Desk:
    """Nobody asks an empty lobby whether it is still there; and the wake word is no part of what is said."""
    stt = desk.engines.stt
    engines = replace(desk.engines, stt=Called(word, stt)) if word else desk.engines
    return replace(desk, engines=engines, silence_s=0.0 if config.leave_s else desk.silence_s)


class Called:
    """A recogniser of somebody who says a wake word first: that is no part of what they say."""

    def __init__(self, word: str, stt: Recogniser) -> None:
        self._word = word
        self._stt = stt

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        heard = await self._stt.transcribe(pcm, partial=partial, terms=terms)
        text, again = called(self._word, heard.text), called(self._word, heard.again)
        return replace(heard, text=heard.text if text is None else text, again=heard.again if again is None else again)


def check_kiosk(config: KioskConfig) -> None:
    """Raises ConfigError with every problem of [kiosk] that is found without opening a device."""
    settings.check(
        lambda: KioskPage(config, lambda: ""),
        lambda: Hook(config.command),
        lambda: Word(config.word) if config.wake == "word" else None,
    )


def _waker(config: KioskConfig, stt: Recogniser) -> tuple[Waker | None, str]:
    """What listens while nobody is here, and the word to be said."""
    if config.wake == "word":
        word = Word(config.word, _recognise(stt))
        return word, word.words
    if config.wake == "always":
        return NearSpeech(_voice(), config.near_dbfs), ""
    return None, ""


def _recognise(stt: Recogniser) -> Recognise:
    async def recognise(pcm: Pcm) -> str:
        try:
            with for_visitor():
                return (await stt.transcribe(pcm)).text
        except EngineError:  # then it is said again
            return ""

    return recognise


def _voice() -> Callable[[Pcm], float]:
    """Silero's last verdict on a stream of frames."""
    detector, last = VoiceDetector(Silero()), 0.0

    def probability(pcm: Pcm) -> float:
        nonlocal last
        last = next(iter(detector.feed(pcm).chunks[-1:]), last)
        return last

    return probability
