"""What a caller hears while they wait for somebody: the owner's music, or a soft noise that says the line is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from appliance.dsp import soundfile
from appliance.terms.errors import BadInput, ConfigError
from appliance.terms.units import FRAME_MS, Pcm

from .line import RATE_OUT, SipLine

FRAME = RATE_OUT * FRAME_MS // 1000
NOISE_S = 4.0
NOISE_DBFS = -55.0
MAX_MUSIC_S = 600.0


def music(path: str) -> Pcm:
    """(n,) int16 at `RATE_OUT`: of a sound file of any kind; of no path, comfort noise. Raises ConfigError."""
    if path:
        try:
            return soundfile.read(Path(path).expanduser(), rate=RATE_OUT, max_s=MAX_MUSIC_S)
        except BadInput as error:
            raise ConfigError([f"sip.hold_music: {error}"]) from error
    white = np.random.default_rng(0).standard_normal(int(NOISE_S * RATE_OUT))
    soft = np.convolve(white, np.ones(6) / 6, "same")  # less hiss, as a room is
    noise: Pcm = (soft / soft.std() * 32768 * 10 ** (NOISE_DBFS / 20)).astype(np.int16)
    return noise


@asynccontextmanager
async def playing(line: SipLine, sound: Pcm) -> AsyncIterator[None]:
    """Play it over and over until the block ends."""
    task = asyncio.create_task(play(line, sound))
    try:
        yield
    finally:
        task.cancel()
        line.flush()


async def play(line: SipLine, sound: Pcm) -> None:
    """The same, without end."""
    at = 0
    while len(sound):
        while line.queued_ms < line.lead_ms:
            line.play(np.take(sound, range(at, at + FRAME), mode="wrap"))
            at = (at + FRAME) % len(sound)
        await asyncio.sleep(FRAME_MS / 1000)
