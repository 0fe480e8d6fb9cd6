"""Who answers: the device's role, and those of accounts that have their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.app.desk import roles
from appliance.terms.config import Config, SipAccount, SipConfig
from appliance.terms.errors import ConfigError


def with_account(**own: str) -> Config:
    accounts = [SipAccount(user="plain", domain="pbx.example"), SipAccount(user="own", domain="pbx.example", **own)]  # type: ignore[arg-type]
    return replace(Config(), sip=SipConfig(enabled=True, accounts=accounts))


def test_an_account_has_the_devices_role_unless_it_has_its_own(tmp_path: Path) -> None:
    knowledge = tmp_path / "dentist.md"
    knowledge.write_text("# Smile Dental\n\nWe are open from nine to five.\n")
    found = roles(with_account(knowledge=str(knowledge), greeting="{business}, good morning."))
    assert list(found) == ["", "own@pbx.example"]
    own = found["own@pbx.example"]
    assert (own.business, own.greeting) == ("Smile Dental", "Smile Dental, good morning.")
    assert "nine to five" in own.instructions
    assert found[""].business != own.business
    assert list(roles(with_account())) == [""]


def test_what_cannot_be_read_is_told_with_whose_it_is() -> None:
    with pytest.raises(ConfigError, match=r"own@pbx\.example.*nowhere"):
        roles(with_account(persona="/nowhere.txt"))
