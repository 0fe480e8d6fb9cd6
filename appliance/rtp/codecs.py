"""The codecs that are spoken here, by the names SDP gives them."""

from __future__ import annotations

from typing import Protocol

from appliance.terms.units import Pcm

from . import opus, telephone

OPUS = "audio/opus"
SPOKEN = (OPUS, *telephone.CODECS)


class Decoder(Protocol):
    """Packets of one stream, in order, as (n,) int16 mono."""

    def decode(self, payload: bytes) -> Pcm:
        """The next packet. Raises ValueError where it is none of this codec's."""

    def recover(self, following: bytes) -> Pcm:
        """20 ms in place of the lost packet before `following`, by whatever that tells of it."""

    def conceal(self) -> Pcm:
        """20 ms in place of a lost packet."""


class Encoder(Protocol):
    """20 ms of (n,) int16 mono as a packet, again and again."""

    def adapt(self, bits_per_s: int, expected_loss: int) -> None:
        """Spend so many bits, and be ready for so many percent of the packets to be lost, where the codec can."""

    def encode(self, pcm: Pcm) -> bytes:
        """Raises ValueError where `pcm` is not 20 ms."""


def decoder(codec: str, rate: int) -> Decoder:
    """Sound at `rate` Hz (8, 12, 16, 24 or 48 kHz). Raises KeyError for a codec that is not spoken here."""
    return opus.Decoder(rate) if codec == OPUS else telephone.Decoder(telephone.CODECS[codec], rate)


def encoder(codec: str, rate: int) -> Encoder:
    """The same the other way."""
    return opus.Encoder(rate) if codec == OPUS else telephone.Encoder(telephone.CODECS[codec], rate)
