"""Whose calls are answered, and whom the device may call: what the owner configured, as decisions. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.terms.config import SipConfig
from appliance.terms.errors import BadInput, ConfigError

from .address import Address, target
from .hours import Hours, Moment

MOST_KEYS = 16
KEYS = "0123456789*#ABCD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a caller is told no."""

    status: int
    reason: str
    """As the response says it."""
    why: str
    """As the owner reads it."""
    headers: dict[str, str] = field(default_factory=dict)


CLOSED = Refusal(status=480, reason="Temporarily Unavailable", why="closed")
DENIED = Refusal(status=603, reason="Decline", why="denied")
ANONYMOUS = Refusal(status=433, reason="Anonymity Disallowed", why="anonymous")
BUSY = Refusal(status=486, reason="Busy Here", why="busy")
NOT_READY = Refusal(status=503, reason="Service Unavailable", why="not ready", headers={"Retry-After": "10"})
FORBIDDEN = Refusal(status=403, reason="Forbidden", why="not from its provider")


class Callers:
    """Raises ConfigError with every problem in the phone's patterns, hours and keys."""

    def __init__(self, config: SipConfig) -> None:
        problems: list[str] = []
        self._config = config
        self._hours = Hours("")
        try:
            self._hours = Hours(config.hours)
        except ValueError as error:
            problems.append(f"sip.hours: {error}")
        self._keys: dict[str, Address] = {}
        for key, to in config.keys.items():
            if key not in KEYS:
                problems.append(f"sip.keys: {key!r} is not on a phone; keys are {' '.join(KEYS)}")
            try:
                self._keys[key] = self.may_call(to)
            except BadInput as error:
                problems.append(f"sip.keys.{key}: {error}")
        self._overflow: Address | None = None
        try:
            self._overflow = target(config.overflow, self._domain) if config.overflow else None
        except BadInput as error:
            problems.append(f"sip.overflow: {error}")
        if problems:
            raise ConfigError(problems, mend="Correct these; nothing was started.")

    def refusal(self, caller: Address | None, moment: Moment) -> Refusal | None:
        """Of a call from this address at this local time; None: it is to be answered."""
        config = self._config
        if caller is None or caller.anonymous:
            if config.allow or not config.anonymous:
                return ANONYMOUS
        elif caller.matches(config.deny) or (config.allow and not caller.matches(config.allow)):
            return DENIED
        return None if self._hours.open_at(moment) else self.elsewhere(CLOSED)

    def elsewhere(self, refusal: Refusal) -> Refusal:
        """The refusal, or where the owner has somebody else who answers, the way there."""
        if self._overflow is None:
            return refusal
        contact = {"Contact": f"<{self._overflow}>"}
        return Refusal(status=302, reason="Moved Temporarily", why=refusal.why, headers=contact)

    @property
    def _domain(self) -> str:
        """Where a number alone is one."""
        return self._config.accounts[0].domain if self._config.accounts else ""

    def may_call(self, to: str) -> Address:
        """The address to call. Raises BadInput where it is none, or may not be called."""
        domains = [account.domain for account in self._config.accounts]
        address = target(to, self._domain)
        if not address.matches(self._config.dial, domains):
            raise BadInput(f"{address.name} may not be called: no pattern of sip.dial allows it.")
        return address

    def by_key(self, key: str) -> Address | None:
        """Where the dial plan sends who presses this key."""
        return self._keys.get(key)

    def account_for(self, address: Address) -> int | None:
        """The number of the account that calls it: of its domain, else the first; None: none at all."""
        domains = [account.domain for account in self._config.accounts]
        return domains.index(address.host) if address.host in domains else 0 if domains else None
