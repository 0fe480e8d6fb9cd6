"""The phone at a real PBX (kamailio) and with a real telephone (baresip)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.bench.switchboard import TRUSTING, free_port, phone, tone
from appliance.dsp import soundfile
from appliance.terms.config import SipAccount, SipConfig
from appliance.terms.errors import EngineError
from appliance.terms.events import AccountChanged, CallPlaced, CallTransferred
from appliance.terms.line import Line
from appliance.terms.units import CAPTURE_RATE, Pcm

from .conftest import echo, telephone
from .peers import DOMAIN, PASSWORD, baresip, certificate, kamailio

HERTZ = 1000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificate(tmp_path)
    hello = [tone(0.15, 8000, HERTZ), np.zeros(12_000, np.int16)]  # as a person who picks up
    soundfile.write(tmp_path / "tone.wav", np.concatenate([*hello, tone(60.0, 8000, HERTZ)]), 8000)
    return tmp_path


class Listener:
    """An agent that keeps what it hears and says another tone."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []

    async def __call__(self, line: Line) -> None:
        async for frame in line.frames():
            self.heard.append(frame.pcm)
            if line.queued_ms < 100:
                line.play(tone(0.1, line.rate_out))

    def hears(self, hertz: float) -> bool:
        return len(self.heard) >= 50 and pitch(np.concatenate(self.heard[-50:]), CAPTURE_RATE) == pytest.approx(
            hertz, abs=15
        )


def pitch(pcm: Pcm, rate: int) -> float:
    """The loudest frequency in Hz, 0 for silence."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * rate / len(pcm)) if spectrum.max() > 1e5 else 0.0


def at_pbx(
    folder: Path, port: int, *, password: str = PASSWORD, transport: str = "tls", expires: int = 60
) -> SipConfig:
    where = port + 1 if transport == "tls" else port
    account = SipAccount(
        user="agent",
        domain=DOMAIN,
        password=password,
        proxy=f"{DOMAIN}:{where}",
        transport=transport,  # type: ignore[arg-type]
        expires=expires,
        encryption="mandatory" if transport == "tls" else "off",
    )
    return SipConfig(enabled=True, accounts=[account], ca=str(folder / "cert.pem"), dial=["*"])


@contextlib.asynccontextmanager
async def marks() -> AsyncIterator[list[str]]:
    """The DSCP of each UDP packet on loopback, as tshark sees it; filled when the block ends."""
    seen: list[str] = []
    tshark = await asyncio.create_subprocess_exec(
        *("tshark", "-l", "-i", "lo", "-f", "udp", "-T", "fields", "-e", "ip.dsfield.dscp"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert tshark.stderr is not None
    while "Capturing on" not in (line := (await tshark.stderr.readline()).decode()) and line:
        pass
    try:
        yield seen
    finally:
        if tshark.returncode is None:
            tshark.terminate()
        output, _ = await tshark.communicate()
        seen += output.decode().split()


def peer_account(port: int, transport: str) -> str:
    where, media = (port + 1, ";mediaenc=srtp-mand") if transport == "tls" else (port, "")
    proxy = f'outbound="sip:{DOMAIN}:{where};transport={transport}"'
    return (
        f"<sip:peer@{DOMAIN};transport={transport}>;auth_pass={PASSWORD};{proxy};regint=60;answermode=auto"
        f";audio_codecs=pcma/8000/1{media}"
    )


@pytest.mark.parametrize("transport", ["tls", "udp"])
async def test_calls_both_ways_through_a_pbx(folder: Path, transport: str) -> None:
    """Over TLS with SRTP, and over UDP; digest for every registration and call."""
    port, agent = free_port(), Listener()
    async with (
        kamailio(folder, port),
        phone(at_pbx(folder, port, transport=transport), agent) as desk,
        baresip(folder, free_port(), folder / "tone.wav", peer_account(port, transport)) as peer,
    ):
        await desk.until(lambda: not desk.door.unregistered)
        peer.tell("dial", f"sip:agent@{DOMAIN}")
        await desk.until(lambda: agent.hears(HERTZ))
        assert desk.lines[0].caller.startswith(f"peer@{DOMAIN}")
        peer.tell("hangup")
        await desk.until(lambda: desk.lines[0].ended == "hangup")
        agent.heard.clear()
        await desk.door.dial("peer", "Hello.")
        await desk.until(lambda: agent.hears(HERTZ))
        assert desk.told(CallPlaced)[-1].progress == "answered"
        desk.door.hang_up(desk.lines[1].call)
        await desk.until(lambda: sum(event.get("type") == "CALL_CLOSED" for event in peer.events) == 2)


async def test_opus_and_marked_packets(folder: Path) -> None:
    agent = Listener()
    soundfile.write(folder / "tone.wav", tone(30.0, 48_000, HERTZ), 48_000)
    account = "<sip:caller@127.0.0.1>;regint=0;answermode=auto;audio_codecs=opus/48000/1"
    async with (
        phone(TRUSTING, agent) as desk,
        baresip(folder, free_port(), folder / "tone.wav", account) as caller,
        marks() as seen,
    ):
        caller.tell("dial", desk.uri)
        await desk.until(lambda: agent.hears(HERTZ))
    if os.geteuid() == 0:  # who else cannot look at packets
        assert seen.count("46") >= 50


async def test_a_wrong_password_is_told(folder: Path) -> None:
    port = free_port()
    async with kamailio(folder, port), phone(at_pbx(folder, port, password="wrong", transport="udp"), echo) as desk:
        await desk.until(lambda: any("401" in event.why for event in desk.told(AccountChanged)))
        assert desk.door.unregistered == [f"agent@{DOMAIN}"]


async def test_a_registrar_that_restarts_is_found_again(folder: Path) -> None:
    port = free_port()
    async with phone(at_pbx(folder, port, transport="tcp", expires=4), echo) as desk:
        async with kamailio(folder, port):
            await desk.until(lambda: not desk.door.unregistered, within_s=20)
        await desk.until(lambda: desk.door.unregistered, within_s=30)
        async with kamailio(folder, port):
            await desk.until(lambda: not desk.door.unregistered, within_s=90)
    told = [event.registered for event in desk.told(AccountChanged)]
    assert told[-3:] == [True, False, True]


async def test_who_waits_for_a_third_hears_music(folder: Path) -> None:
    soundfile.write(folder / "music.wav", tone(3.0, 24_000, 700.0), 24_000)
    config = replace(TRUSTING, dial=["*@*"], hold_music=str(folder / "music.wav"))
    async with phone(config, echo) as desk, telephone() as caller, telephone(user="third") as third:
        third.picks_up = None
        await caller.call(desk.uri)
        await desk.until(lambda: desk.lines)
        waiting = asyncio.create_task(desk.door.redirect(desk.lines[0].call, third.uri, "A caller for you."))
        await desk.until(lambda: third.called.is_set())
        caller.heard.clear()
        await desk.until(lambda: len(caller.heard) > 60)
        assert pitch(np.concatenate(caller.heard[-40:]), 8000) == pytest.approx(700.0, abs=15)
        await third.decline()
        with pytest.raises(EngineError, match="486"):
            await waiting
        caller.heard.clear()
        caller.say(tone(0.5, 8000))
        await desk.until(lambda: len(caller.voiced) > 10)


async def test_a_stranger_cannot_call_an_account_past_its_pbx(folder: Path) -> None:
    port = free_port()
    async with kamailio(folder, port), phone(at_pbx(folder, port, transport="udp"), echo) as desk:
        await desk.until(lambda: not desk.door.unregistered)
        async with telephone("127.0.0.99") as stranger:
            with pytest.raises(Exception, match=r"40[34]"):
                await stranger.call(f"sip:agent@127.0.0.1:{desk.port}")
        assert not desk.lines


@pytest.mark.parametrize("introduce", ["", "A caller for you."])
async def test_a_caller_is_handed_on_to_a_third_who_hears_them(folder: Path, introduce: str) -> None:
    agent = Listener()
    account = "<sip:caller@127.0.0.1>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1"
    async with (
        phone(replace(TRUSTING, dial=["*@*"]), agent) as desk,
        baresip(folder, free_port(), folder / "tone.wav", account) as caller,
        telephone(user="third") as third,
    ):
        caller.tell("dial", desk.uri)
        await desk.until(lambda: agent.hears(HERTZ))
        await desk.door.redirect(desk.lines[0].call, third.uri, introduce)
        await desk.until(lambda: desk.lines[0].ended)
        third.heard.clear()
        await desk.until(lambda: len(third.heard) > 50)
        assert pitch(np.concatenate(third.heard[-50:]), 8000) == pytest.approx(HERTZ, abs=25)
        assert [event.done for event in desk.told(CallTransferred)] == [True]
        caller.tell("hangup")
        await asyncio.wait_for(third.ended.wait(), 5)
