"""Who is started when, by the policy and by how the device stands."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engines.routing import IF_FAILED, Outlook, Plan, plan
from appliance.terms.config import Policy

POLICIES: tuple[Policy, ...] = get_args(Policy)
QUICK = Outlook(usual_s=0.1, longest_s=0.2)
SLOW = Outlook(usual_s=1.0, longest_s=1.5)
DOWN = Outlook(works=False, usual_s=0.1, longest_s=0.2)
NEW = Outlook()
BUDGET_S = 0.4


def when(
    policy: Policy, local: Outlook, *, usable: bool = True, cloud_s: float | None = 0.1
) -> tuple[float, float | None]:
    found = plan(policy, local, usable=usable, cloud_s=cloud_s, budget_s=BUDGET_S)
    return found.local_s, None if found.cloud_s is None else round(found.cloud_s, 3)


@pytest.mark.parametrize(
    ("policy", "local", "starts"),
    [
        ("local", DOWN, (0.0, None)),
        ("error", QUICK, (0.0, IF_FAILED)),
        ("error", SLOW, (0.0, IF_FAILED)),
        ("error", DOWN, (0.0, 0.0)),
        ("lag", QUICK, (0.0, 0.3)),
        ("lag", NEW, (0.0, 0.4)),
        ("lag", SLOW, (0.0, 0.0)),
        ("lag", DOWN, (0.0, 0.0)),
        ("lag", Outlook(usual_s=0.1, longest_s=0.24), (0.0, 0.36)),
        ("lag", Outlook(usual_s=0.1, longest_s=0.38), (0.0, 0.4)),
        ("lag", Outlook(usual_s=0.25, longest_s=0.3, waiting=2), (0.0, 0.0)),
        ("hedge", QUICK, (0.0, 0.0)),
        ("cloud", QUICK, (0.4, 0.0)),
    ],
)
def test_the_table(policy: Policy, local: Outlook, starts: tuple[float, float | None]) -> None:
    assert when(policy, local) == starts


def test_a_provider_that_is_slow_itself_is_started_sooner() -> None:
    very_quick = Outlook(usual_s=0.05, longest_s=0.08)
    assert when("lag", very_quick, cloud_s=0.2) == (0.0, 0.2)
    assert when("lag", very_quick, cloud_s=0.35) == (0.0, 0.12), "but not before the device is late by its own measure"
    assert when("cloud", QUICK, cloud_s=0.6) == (1.2, 0.0)


def test_why_is_told() -> None:
    assert plan("lag", SLOW, usable=True, cloud_s=None, budget_s=0.4).why == "expected after 1.00 s, 0.40 s are left"
    assert plan("lag", DOWN, usable=True, cloud_s=None, budget_s=0.4).why == "the device's engine is down"


outlooks = st.builds(
    Outlook,
    works=st.booleans(),
    waiting=st.integers(0, 20),
    usual_s=st.none() | st.floats(0.001, 60),
    longest_s=st.none() | st.floats(0.001, 60),
)


@given(st.sampled_from(POLICIES), outlooks, st.booleans(), st.none() | st.floats(0.001, 60), st.floats(0.05, 5))
def test_whatever_happens(policy: Policy, local: Outlook, usable: bool, cloud_s: float | None, budget_s: float) -> None:
    found = plan(policy, local, usable=usable, cloud_s=cloud_s, budget_s=budget_s)
    starts = [at for at in (found.local_s, found.cloud_s) if at is not None]
    assert min(starts) == 0.0, "somebody starts at once"
    assert found.local_s < math.inf, "the device is never left out"
    if not usable or policy == "local":
        assert found == Plan(local_s=0.0, cloud_s=None)
    else:
        assert found.cloud_s is not None
        assert found.why
    if policy == "lag" and found.cloud_s is not None:
        assert found.cloud_s <= budget_s, "later it could not help"
        if (
            local.works
            and local.usual_s is not None
            and local.usual_s * (1 + local.waiting) < budget_s / 4
            and cloud_s
            and cloud_s < budget_s / 2
        ):
            assert found.cloud_s > 0, "who is quick needs no help"
