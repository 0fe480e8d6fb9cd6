"""Speech to a line, in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np

from appliance.bench.warp import LoopClock, warped
from appliance.doors.file import FileLine
from appliance.engines.contracts import Sound
from appliance.flow.playout import DOOR_STUCK_S, Playout
from appliance.terms.units import Pcm

RATE = 24_000


def tone(seconds: float, words: str = "", before_s: float = 0.0) -> Sound:
    """A tone after some silence; the words spread evenly over it."""
    pcm = (np.sin(2 * np.pi * 300 * np.arange(int(seconds * RATE)) / RATE) * 10_000).astype(np.int16)
    lead, each = int(before_s * RATE), len(pcm) // max(1, len(words.split()))
    marks = tuple((word, lead + each * i) for i, word in enumerate(words.split(), 1))
    return Sound(pcm=np.concatenate([np.zeros(lead, np.int16), pcm]), words=marks)


class Heard:
    """A line, and somebody who listens to it."""

    def __init__(self) -> None:
        self.line = FileLine(np.zeros(0, np.int16), RATE, LoopClock())
        self.playout = Playout(self.line, LoopClock())
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for _ in self.line.frames():
            pass

    async def whole(self) -> Pcm:
        self.line.hang_up("hangup")
        await self._listening
        return self.line.reply()


def test_all_is_played_without_the_silence_before_it_and_the_voice_is_told_once() -> None:
    async def play() -> None:
        heard, voiced = Heard(), list[float]()
        heard.playout.begin(RATE, voiced.append)
        await heard.playout.play(tone(1.0, "one two", before_s=0.1))
        await heard.playout.play(tone(0.5, "three"))
        assert heard.playout.audible
        await heard.playout.drain()
        assert not heard.playout.audible
        assert heard.playout.heard() == "one two three"
        assert len(voiced) == 1
        pcm = await heard.whole()
        assert abs(len(pcm) - 1.5 * RATE) < 0.01 * RATE

    warped(play())


def test_no_more_waits_in_the_line_than_the_door_asks_for() -> None:
    async def play() -> None:
        heard, most = Heard(), 0.0
        heard.playout.begin(RATE)
        playing = asyncio.create_task(heard.playout.play(tone(2.0, "words")))
        while not playing.done():
            most = max(most, heard.line.queued_ms)
            await asyncio.sleep(0.005)
        assert 0 < most <= heard.line.lead_ms + 20
        await heard.whole()

    warped(play())


def test_stop_silences_at_once_and_tells_the_words_that_were_heard() -> None:
    async def play() -> None:
        heard = Heard()
        heard.playout.begin(RATE)
        playing = asyncio.create_task(heard.playout.play(tone(2.0, "one two three four", before_s=0.2)))
        await asyncio.sleep(1.2)
        playing.cancel()
        words = heard.playout.stop()
        assert heard.line.queued_ms == 0
        assert words == "one two"
        await asyncio.sleep(1.0)
        assert abs(len(await heard.whole()) - 1.2 * RATE) < 0.1 * RATE

    warped(play())


def test_a_second_speech_does_not_count_the_first() -> None:
    async def play() -> None:
        heard = Heard()
        for words in ("first", "second"):
            heard.playout.begin(RATE)
            await heard.playout.play(tone(0.3, words))
            await heard.playout.drain()
            assert heard.playout.heard() == words
        await heard.whole()

    warped(play())


def test_a_ducked_agent_is_softer() -> None:
    async def play(ducked: bool) -> float:
        heard = Heard()
        heard.playout.begin(RATE)
        heard.playout.ducked = ducked
        await heard.playout.play(tone(0.5, "word"))
        await heard.playout.drain()
        return float(np.abs(await heard.whole()).max())

    assert warped(play(True)) < 0.3 * warped(play(False))


def test_a_door_that_stands_still_does_not_hold_a_reply_for_ever() -> None:
    async def play() -> None:
        line = FileLine(np.zeros(0, np.int16), RATE, LoopClock())
        playout, clock = Playout(line, LoopClock()), LoopClock()
        playout.begin(RATE)
        await playout.play(tone(0.04, "word"))
        began = clock.now()
        await playout.drain()
        assert clock.now() - began < DOOR_STUCK_S + 1.0

    warped(play())


def test_a_held_speech_goes_on_from_the_beginning_of_its_word() -> None:
    async def play() -> None:
        heard = Heard()
        heard.playout.begin(RATE)
        playing = asyncio.create_task(heard.playout.play(tone(2.0, "one two three four")))
        await asyncio.sleep(1.2)  # in the third word
        heard.playout.hold()
        assert heard.line.queued_ms == 0
        assert heard.playout.audible
        assert heard.playout.heard() == "one two"
        await asyncio.sleep(1.0)
        assert not playing.done()
        heard.playout.go_on()
        await asyncio.sleep(0.6)
        assert heard.playout.heard() == "one two three"
        await playing
        await heard.playout.drain()
        assert heard.playout.heard() == "one two three four"
        pcm = await heard.whole()
        assert abs(np.count_nonzero(pcm) - 0.975 * 2.2 * RATE) < 0.05 * RATE, "0.2 s of the third word were said twice"

    warped(play())


def test_a_speech_held_in_its_last_word_is_finished_after_all() -> None:
    async def play() -> None:
        heard = Heard()
        heard.playout.begin(RATE)

        async def speech() -> None:
            await heard.playout.play(tone(1.0, "one two"))
            await heard.playout.drain()

        speaking = asyncio.create_task(speech())
        await asyncio.sleep(0.97)  # all is handed over
        heard.playout.hold()
        await asyncio.sleep(3.0)
        heard.playout.go_on()
        await asyncio.sleep(0.3)
        assert not speaking.done()
        await speaking
        assert heard.playout.heard() == "one two"
        assert not heard.playout.audible
        await heard.whole()

    warped(play())


def test_a_held_speech_that_is_stopped_keeps_what_was_heard() -> None:
    async def play() -> None:
        heard = Heard()
        heard.playout.begin(RATE)
        playing = asyncio.create_task(heard.playout.play(tone(2.0, "one two three four")))
        await asyncio.sleep(1.2)
        heard.playout.hold()
        playing.cancel()
        assert heard.playout.stop() == "one two"
        heard.playout.go_on()
        await asyncio.sleep(0.5)
        assert heard.playout.heard() == "one two"
        assert not heard.playout.audible
        await heard.whole()

    warped(play())
