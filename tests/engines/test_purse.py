"""What providers may cost."""

from __future__ import annotations

import pytest

from appliance.engines.purse import Purse, Usage
from appliance.terms.config import CloudProvider

TS = "2026-01-31T12:30:00.000Z"
ONE = CloudProvider(name="one", llm="x", concurrency=2, per_minute=3, price_input=1.0, price_output=4.0)


def used(purse: Purse, ts: str, tokens: int) -> None:
    purse.begin(ONE, 0)
    purse.end(ONE, Usage(tokens_in=tokens), ts)


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (Usage(tokens_in=1_000_000, tokens_out=500_000), 3.0),
        (Usage(audio_s=90), 0.03),
        (Usage(characters=2000), 0.02),
    ],
)
def test_the_owners_prices(usage: Usage, price: float) -> None:
    provider = CloudProvider(name="p", price_input=1, price_output=4, price_minute=0.02, price_characters=10)
    assert usage.price(provider) == pytest.approx(price)


def test_requests_at_once_and_a_minute() -> None:
    purse = Purse(0, 0)
    purse.begin(ONE, 0)
    assert purse.refusal(ONE, 0, TS) == ""
    purse.begin(ONE, 1)
    assert "at once" in purse.refusal(ONE, 1, TS)
    purse.end(ONE, Usage(), TS)
    purse.begin(ONE, 2)
    purse.end(ONE, Usage(), TS)
    assert "a minute" in purse.refusal(ONE, 3, TS)
    assert purse.refusal(ONE, 60.5, TS) == ""


def test_money_an_hour_and_a_day_over_restarts() -> None:
    purse = Purse(1.0, 2.5)
    used(purse, "2026-01-31T10:00:00.000Z", 900_000)
    assert purse.refusal(ONE, 100, "2026-01-31T10:59:59.000Z") == ""
    used(purse, "2026-01-31T10:30:00.000Z", 100_000)
    assert "hour's money" in purse.refusal(ONE, 200, "2026-01-31T10:59:59.000Z")
    assert purse.refusal(ONE, 200, "2026-01-31T11:00:00.000Z") == ""
    again = Purse(1.0, 2.5, purse.spent)
    used(again, "2026-01-31T11:00:00.000Z", 900_000)
    used(again, "2026-01-31T12:00:00.000Z", 700_000)
    assert "day's money" in again.refusal(ONE, 300, "2026-01-31T13:00:00.000Z")
    assert again.refusal(ONE, 300, "2026-02-01T00:00:00.000Z") == ""
    used(again, "2026-02-01T00:00:00.000Z", 100)
    assert list(again.spent) == ["2026-02-01T00"], "yesterday is forgotten"


def test_without_limits_and_prices_nothing_is_refused() -> None:
    purse = Purse(0, 0)
    used(purse, TS, 10**9)
    assert purse.refusal(ONE, 100, TS) == ""
