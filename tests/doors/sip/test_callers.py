from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from appliance.doors.sip.address import Address
from appliance.doors.sip.callers import Callers
from appliance.terms.config import SipAccount, SipConfig
from appliance.terms.errors import BadInput, ConfigError

NOON = datetime.fromisoformat("2026-08-24 12:00")  # a Monday
ANN = Address("ann", "house.example")
HIDDEN = Address("anonymous", "anonymous.invalid")
PBX = SipAccount(user="agent", domain="pbx.example:5070")


@pytest.mark.parametrize(
    ("config", "caller", "status"),
    [
        ({}, ANN, None),
        ({}, HIDDEN, None),
        ({}, None, None),
        ({"anonymous": False}, HIDDEN, 433),
        ({"anonymous": False}, None, 433),
        ({"allow": ["*@house.example"]}, ANN, None),
        ({"allow": ["*@house.example"]}, HIDDEN, 433),
        ({"allow": ["bob@*"]}, ANN, 603),
        ({"deny": ["ann@*"], "allow": ["*@house.example"]}, ANN, 603),
        ({"hours": "Tu 08:00-18:00"}, ANN, 480),
        ({"hours": "Tu 08:00-18:00"}, HIDDEN, 480),
        ({"hours": "Tu 08:00-18:00", "overflow": "night"}, ANN, 302),
    ],
)
def test_whose_calls_are_answered(config: dict[str, Any], caller: Address | None, status: int | None) -> None:
    refusal = Callers(SipConfig(accounts=[PBX], **config)).refusal(caller, NOON)
    assert (refusal.status if refusal else None) == status
    if refusal is not None and status == 302:
        assert refusal.headers == {"Contact": "<sip:night@pbx.example:5070>"}


def test_whom_the_device_may_call_and_with_which_account() -> None:
    other = SipAccount(user="b", domain="other.example")
    callers = Callers(SipConfig(accounts=[PBX, other], dial=["1*", "*@other.example"]))
    assert str(callers.may_call("100")) == "sip:100@pbx.example:5070"
    assert callers.account_for(callers.may_call("100")) == 0
    assert callers.account_for(callers.may_call("sip:x@other.example")) == 1
    assert callers.account_for(Address("x", "third.example")) == 0
    for forbidden in ("200", "sip:100@evil.example", "sip:1@evil.example;x=@other.example"):
        with pytest.raises(BadInput, match=r"sip\.dial"):
            callers.may_call(forbidden)
    assert Callers(SipConfig()).account_for(ANN) is None


def test_a_dial_plan_leads_only_where_calls_may_go() -> None:
    assert str(Callers(SipConfig(accounts=[PBX], dial=["100"], keys={"0": "100"})).by_key("0")).startswith("sip:100@")
    with pytest.raises(ConfigError, match=r"sip\.keys\.0"):
        Callers(SipConfig(accounts=[PBX], keys={"0": "100"}))
