"""Where the device keeps what it must not lose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_dir(environ: Mapping[str, str]) -> Path:
    """As a service what systemd says (`/var/lib/frontdesk`), else `$XDG_STATE_HOME/frontdesk`."""
    if service := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(service)
    home = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "frontdesk"
