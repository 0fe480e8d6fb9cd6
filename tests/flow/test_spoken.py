"""What is written, as it is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flow.spoken import spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("We are open from 8 am to 6 pm,", "We are open from 8 am to 6 pm,"),
        ("**Parking** is _free_.", "Parking is free."),
        ("- The yard", "The yard"),
        ("2. Mill Lane", "Mill Lane"),
        ("## Hours", "Hours"),
        ("A room costs €20 an hour.", "A room costs 20 euros an hour."),
        ("It is $2.50, or £3.00.", "It is 2 dollars 50, or 3 pounds."),
        ("We open at 9:00.", "We open at 9 o’clock."),
        ("From 9:00 am to 10:30 am", "From 9 am to 10:30 am"),
        ("Open 9-5 pm", "Open 9 to 5 pm"),
        ("Call 5550147.", "Call 5 5 5 0 1 4 7."),
        ("It costs 10.50 or 12,500 points.", "It costs 10.50 or 12,500 points."),
        ("See https://www.harbour-house.com/rooms for more.", "See harbour-house dot com for more."),
        ("Write to desk@harbour.org, please.", "Write to desk at harbour dot org, please."),
        ("[Our page](https://x.org) says so.", "Our page says so."),
        ("Coffee & tea, e.g. free refills.", "Coffee and tea, for example free refills."),
        ("until 6 p.m. today", "until 6 p.m. today"),
        ("---", ""),
        ("", ""),
    ],
)
def test_markup_goes_and_figures_are_read_as_people_do(written: str, said: str) -> None:
    assert spoken(written) == said


@given(st.text(max_size=200))
def test_any_text_is_taken_and_none_is_made_of_markup(text: str) -> None:
    assert not set("*_`#<>[]") & set(spoken(text))
