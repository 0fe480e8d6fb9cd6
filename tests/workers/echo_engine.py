"""An engine for the tests of supervisor and mailbox: it says back, and misbehaves when asked to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from appliance.workers.mailbox import Answer, Mailbox, Request, serve_in_turn


class Echo:
    """`say`: `{text}` back in `parts` parts, `wait_s` before each. `die` before (or `after`) its first part."""

    def __init__(self, greeting: str = "", fails: str = "", fails_unless: str = "", number: int = 0) -> None:
        if fails and not (fails_unless and os.path.exists(fails_unless)):
            raise ValueError(fails)
        self.facts: Mapping[str, Any] = {"greeting": greeting, "pid": os.getpid(), "number": number or os.getpid()}

    def serve(self, mailbox: Mailbox) -> None:
        serve_in_turn(mailbox, self._handle)

    def _handle(self, request: Request) -> Answer:
        arguments = request.arguments
        match request.op:
            case "say":
                for i in range(int(arguments.get("parts", 1))):
                    time.sleep(float(arguments.get("wait_s", 0.0)))
                    yield {"text": arguments["text"], "part": i}, request.data
            case "pid":
                yield {"pid": os.getpid()}, b""
            case "die":
                if arguments.get("after"):
                    yield {}, b""
                if not os.path.exists(str(arguments.get("unless", ""))):
                    if "unless" in arguments:
                        open(str(arguments["unless"]), "w").close()
                    os._exit(3)
                yield {"survived": True}, b""
            case "log":
                with open(str(arguments["path"]), "a", encoding="utf-8") as file:
                    file.write(f"{arguments['text']}\n")
                yield {}, b""
            case _:
                raise ValueError(f"unknown operation {request.op!r}")
