"""A recogniser that listens for the words of the business."""

from __future__ import annotations

from dataclasses import replace

from appliance.engines.contracts import Recogniser, Transcript
from appliance.knowledge.lexicon import Lexicon
from appliance.terms.units import Pcm

from .desk import Desk


class Attentive:
    """A Recogniser. Of what is still being said, the words alone are heard."""

    def __init__(self, stt: Recogniser, lexicon: Lexicon) -> None:
        self._stt = stt
        self._lexicon = lexicon

    async def transcribe(self, pcm: Pcm, *, partial: bool = False, terms: str = "") -> Transcript:
        if partial:
            return await self._stt.transcribe(pcm, partial=True)
        heard = await self._stt.transcribe(pcm, terms=terms or self._lexicon.terms)
        return replace(heard, text=self._lexicon.mend(heard.text, heard.again), again="") if heard.again else heard


def attending(desk: Desk) -> Desk:
    """With a recogniser that does."""
    return replace(desk, engines=replace(desk.engines, stt=Attentive(desk.engines.stt, desk.lexicon)))
