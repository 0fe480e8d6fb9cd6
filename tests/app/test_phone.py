"""The phone's configuration as the device takes it, and what `frontdesk check` says of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.app import settings
from appliance.app.check import check
from appliance.app.finding import Line
from appliance.app.phone import check_phone
from appliance.bench.switchboard import free_port
from appliance.bench.telephone import Telephone
from appliance.terms.config import Config, SipAccount, SipConfig
from appliance.terms.errors import ConfigError


def test_every_problem_is_told() -> None:
    sip = SipConfig(
        enabled=True,
        hours="sometimes",
        keys={"x": "100", "1": "sip:evil@example.org"},
        trusted=["nowhere"],
        hold_music="/nowhere.wav",
        rtp_ports="1-2",
    )
    with pytest.raises(ConfigError) as error:
        check_phone(replace(Config(), sip=sip))
    told = "\n".join(error.value.problems)
    for named in ("sip.hours", "sip.keys", "sip.keys.1", "sip.trusted", "sip.hold_music", "sip.rtp_ports"):
        assert named in told


@pytest.mark.parametrize("listen", ["5060", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:x"])
def test_where_to_listen_must_be_an_address_and_a_port(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"sip\.listen"):
        check_phone(replace(Config(), sip=SipConfig(enabled=True, listen=listen)))


def test_two_accounts_must_differ() -> None:
    account = SipAccount(user="a", domain="b")
    with pytest.raises(ConfigError, match="two of them"):
        check_phone(replace(Config(), sip=SipConfig(enabled=True, accounts=[account, account])))


def test_the_file_is_read_and_a_misspelt_key_of_an_account_is_named(tmp_path: Path) -> None:
    file = tmp_path / "frontdesk.toml"
    file.write_text('[sip]\nenabled = true\n[[sip.accounts]]\nuser = "a"\ndomain = "b"\npassword = "geheim"\n')
    account = settings.load(file, {}).sip.accounts[0]
    assert (account.user, account.password) == ("a", "geheim")
    assert "geheim" not in repr(account)
    file.write_text('[[sip.accounts]]\nuser = "a"\ndomain = "b"\npasword = "geheim"\n')
    with pytest.raises(ConfigError, match="pasword") as error:
        settings.load(file, {})
    assert "geheim" not in str(error.value)


@pytest.fixture
def registrar() -> Iterator[int]:
    """The port of somebody who answers SIP."""
    started, port, stop = threading.Event(), [0], asyncio.Event()
    loop = asyncio.new_event_loop()

    async def answer() -> None:
        telephone = Telephone()
        await telephone.open()
        port[0] = int(telephone.uri.rpartition(":")[2])
        started.set()
        await stop.wait()
        telephone.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(answer(),))
    thread.start()
    started.wait(5)
    yield port[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(5)


def told(tmp_path: Path, domain: str) -> list[Line]:
    file = tmp_path / "frontdesk.toml"
    file.write_text(
        f'[sip]\nenabled = true\nlisten = "127.0.0.1:{free_port()}"\n'
        f'[[sip.accounts]]\nuser = "a"\ndomain = "{domain}"\n'
    )
    return [line for line in check(file, {}) if line.what.startswith(("phone", "registrar"))]


def test_check_asks_each_registrar(tmp_path: Path, registrar: int) -> None:
    port, there = told(tmp_path, f"127.0.0.1:{registrar}")
    assert port.good
    assert there.good
    assert "200" in there.found
    _, gone = told(tmp_path, f"127.0.0.1:{free_port()}")
    assert not gone.good
    assert gone.mend
