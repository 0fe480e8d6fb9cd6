"""A real browser that calls a device and tells how its line gets on: `python -m tests.web.caller_behind_wire URL`.

Run in a network namespace of its own; each change of what the page shows is a JSON line. Ends when its stdin does.
"""

from __future__ import annotations

import json
import select
import sys
from typing import Any

from tests.web.chromium import body, browser, press

SHOWN = """return {
  phase: document.body.dataset.phase, call: document.body.dataset.call || '', state: document.body.dataset.state,
  notice: document.getElementById('notice').hidden ? '' : document.getElementById('notice').textContent,
  words: [...document.querySelectorAll('call-captions')].map((e) => e.textContent).join(' '),
}"""


def main() -> None:
    url = sys.argv[1]
    flags = (f"--unsafely-treat-insecure-origin-as-secure={url.rstrip('/')}",)
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", *flags) as driver:
        driver.get(url)
        press(driver, "start")
        shown: dict[str, Any] = {}
        while not select.select([sys.stdin], [], [], 0.2)[0]:
            now = driver.execute_script(SHOWN)
            if now != shown:
                shown = now
                print(json.dumps(shown), flush=True)
        if body(driver, "phase") == "call":
            press(driver, "hangup")


if __name__ == "__main__":
    main()
