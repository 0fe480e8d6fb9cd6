"""Commands from afar: only those that the owner allows, each obeyed once, each answered.

A command is `{"id": text, "args": {…}}` on `cmd/<name>`; its answer `{"id", "ok", "error"}` on `cmd/<name>/result`.
What a broker has retained is never obeyed: it could be years old.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from appliance.terms.errors import BadInput, FrontdeskError

MAX_BYTES = 10_000
MAX_ID = 64
REMEMBERED = 200
"""A broker may deliver a command twice (QoS 1): it is answered as before, and not obeyed again."""

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""What more the answer tells, if anything. Raises BadInput for arguments that make no sense, or another FrontdeskError
where it came to nothing."""


class Commands:
    """`handlers` are all that there are; of these the `allowed` ones are obeyed."""

    def __init__(self, handlers: Mapping[str, Handler], allowed: list[str]) -> None:
        self._handlers = handlers
        self._allowed = set(allowed)
        self._answered: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    async def obey(self, name: str, payload: bytes) -> dict[str, Any]:
        """The answer; never raises for what was sent."""
        try:
            id_, arguments = _read(payload)
        except BadInput as error:
            return {"id": None, "ok": False, "error": str(error)}
        before = self._answered.get((name, id_))
        if before is not None:
            return before
        answer = {"id": id_, **await self._try(name, arguments)}
        self._answered[name, id_] = answer
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return answer

    async def _try(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if name not in self._handlers:
            return {"ok": False, "error": f"There is no command {name[:40]!r}."}
        if name not in self._allowed:
            return {"ok": False, "error": f"The owner does not allow {name!r} from afar (mqtt.commands)."}
        try:
            more = await self._handlers[name](arguments)
        except FrontdeskError as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True, "error": None, **(more or {})}


def text(arguments: Mapping[str, Any], key: str, most: int = 1000) -> str:
    """An argument that must be there. Raises BadInput."""
    value = arguments.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise BadInput(f"args.{key} must be text of at most {most} characters.")
    return value


def _read(payload: bytes) -> tuple[str, Mapping[str, Any]]:
    if len(payload) > MAX_BYTES:
        raise BadInput(f"The command is larger than {MAX_BYTES // 1000} kB.")
    try:
        command = json.loads(payload)
    except ValueError:
        raise BadInput("The command is no JSON.") from None
    if not isinstance(command, dict) or not isinstance(command.get("args", {}), dict):
        raise BadInput('The command must be an object: {"id": …, "args": {…}}.')
    id_ = command.get("id")
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID:
        raise BadInput(f"The command's id must be text of at most {MAX_ID} characters.")
    return id_, command.get("args", {})
