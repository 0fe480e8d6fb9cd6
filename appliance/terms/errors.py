"""Everything that can go wrong, sorted by who can mend it.

    FrontdeskError
    ├── OwnerError          the owner's configuration, models, disk or devices
    │   ├── ConfigError     a value or key of frontdesk.toml (carries every problem found)
    │   ├── DocumentError   a file of the owner's knowledge cannot be read
    │   ├── ModelError      a model file is missing, damaged or cannot be fetched
    │   └── DeviceError     a port, disk or sound device cannot be used
    ├── CallerError         what the caller sent cannot be used
    │   ├── BadInput        a body, SDP or sound file that is not what it should be
    │   ├── SwitchedOff     a part of the device that its owner does not use
    │   ├── Busy            every line of the device is taken
    │   └── NotReady        the device is still warming up
    └── EngineError         an engine (ours, or a provider's) failed
        ├── EngineDown      its worker is dead, or died with the request
        ├── EngineLate      it missed the request's deadline
        ├── EngineFull      its queue is full
        └── ProviderError   a provider could not be reached, refused, or answered nonsense

Each message says what failed and where; `mend` says what the reader can do about it.
"""

from __future__ import annotations


class FrontdeskError(Exception):
    """The root. `mend` is one sentence for the person who can act, or empty."""

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend


class OwnerError(FrontdeskError):
    """The owner's configuration, models, disk or devices."""


class ConfigError(OwnerError):
    """One or more problems in the configuration; `problems` holds a line each."""

    def __init__(self, problems: list[str], *, mend: str = "") -> None:
        super().__init__("\n".join(problems), mend=mend)
        self.problems = problems


class DocumentError(OwnerError):
    """A file of the owner's knowledge cannot be read."""


class ModelError(OwnerError):
    """A model file is missing, damaged or cannot be fetched."""


class DeviceError(OwnerError):
    """A port, disk or sound device cannot be used."""


class CallerError(FrontdeskError):
    """What the caller sent cannot be used."""


class BadInput(CallerError):
    """A body, SDP or sound file that is not what it should be."""


class SwitchedOff(CallerError):
    """A part of the device that its owner does not use."""


class Busy(CallerError):
    """Every line of the device is taken."""


class NotReady(CallerError):
    """The device is still warming up."""


class EngineError(FrontdeskError):
    """An engine failed."""


class EngineDown(EngineError):
    """The engine's worker is dead, or died with the request."""


class EngineLate(EngineError):
    """The engine missed the request's deadline."""


class EngineFull(EngineError):
    """The engine's queue is full: the request was refused, not kept waiting."""


class ProviderError(EngineError):
    """A provider could not be reached, refused, or answered nonsense."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        """`unreachable`: the next request would fail as well."""
        super().__init__(message)
        self.unreachable = unreachable
