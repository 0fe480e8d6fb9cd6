"""How often one address may ask for something."""

from __future__ import annotations

from collections import OrderedDict, deque

WINDOW_S = 60.0
MOST_ADDRESSES = 1000


class Rate:
    """At most `per_minute` from each address. Of more than 1000 addresses, those unheard for longest are forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Count one more at `now` (seconds of any monotonic clock); False where that is one too many."""
        asked = self._asked.setdefault(address, deque(maxlen=self._per_minute))
        self._asked.move_to_end(address)
        if len(self._asked) > MOST_ADDRESSES:
            self._asked.popitem(last=False)
        if len(asked) == self._per_minute and now - asked[0] < WINDOW_S:
            return False
        asked.append(now)
        return True
