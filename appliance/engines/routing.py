"""Who computes a stage, and when each of them is started. Pure.

    policy   the device        a provider    the device starts                the provider starts
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
    any      –                 not usable    at once                          never
    local    –                 –             at once                          never
    error    works             usable        at once                          once the device has failed
    error    is down           usable        at once (it waits till it's up)  at once
    lag      in time, we think usable        at once                          when waiting longer would be too late
    lag      late, or down     usable        at once                          at once
    hedge    –                 usable        at once                          at once
    cloud    –                 usable        when the provider is late        at once

The first useful result wins, and the others are cancelled. Whoever fails lets the next one start at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from appliance.terms.config import Policy

SHARES = {"stt": 0.4, "llm": 0.35, "tts": 0.3, "turn": 1.0}
"""Of a turn's budget, until a stage's first useful result. Part of each is hidden in the caller's pause."""
CLOUD_S = 0.4
"""What a provider takes of which nothing is known yet."""
QUEUED = 0.5
"""A request that waits in front of ours costs this much of one: it has begun already, or is a partial one."""
PATIENT = 1.5
"""Before a device has taken so many times what it takes now and then (95 %), it is not late; one that has just started
has all of the budget."""
IF_FAILED = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How the device stands with a stage. Seconds until a first useful result."""

    works: bool = True
    waiting: int = 0
    usual_s: float | None = None
    longest_s: float | None = None

    @property
    def expected_s(self) -> float | None:
        """When the result should come; None where nobody can tell yet."""
        if not self.works:
            return math.inf
        return None if self.usual_s is None else self.usual_s * (1 + QUEUED * self.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Seconds from now; IF_FAILED: once all others have failed; None: never."""

    local_s: float
    cloud_s: float | None
    why: str = ""
    """Why a provider is asked, if it is."""


def plan(policy: Policy, local: Outlook, *, usable: bool, cloud_s: float | None, budget_s: float) -> Plan:
    """`usable`: a provider may be asked, and is worth it; `cloud_s`: what it usually takes."""
    if policy == "local" or not usable:
        return Plan(local_s=0.0, cloud_s=None)
    takes = CLOUD_S if cloud_s is None else cloud_s
    match policy:
        case "hedge":
            return Plan(local_s=0.0, cloud_s=0.0, why="hedge")
        case "cloud":
            return Plan(local_s=max(budget_s, 2 * takes), cloud_s=0.0, why="cloud")
        case "error":
            return Plan(local_s=0.0, cloud_s=IF_FAILED if local.works else 0.0, why="the device's engine failed")
    expected = local.expected_s
    if expected == math.inf:
        return Plan(local_s=0.0, cloud_s=0.0, why="the device's engine is down")
    if expected is not None and expected > budget_s:
        return Plan(local_s=0.0, cloud_s=0.0, why=f"expected after {expected:.2f} s, {budget_s:.2f} s are left")
    patience = budget_s if local.longest_s is None else min(budget_s, PATIENT * local.longest_s)
    return Plan(local_s=0.0, cloud_s=max(0.0, budget_s - takes, patience), why="late")
