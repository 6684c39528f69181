"""Presses that come faster than they are answered: which of them is the last."""

from __future__ import annotations

from typing import Any


class Presses:
    """One per session; a copy is always a fresh one. `count`: rises when somebody is chosen by hand and when that page
    is drawn, so that no page that was begun before comes back over it."""

    def __init__(self):
        self.count = 0
        self._at = float("-inf")  # ms on the page's clock

    def __deepcopy__(self, _memo) -> Presses:
        return Presses()

    def is_last(self, told: dict[str, Any]) -> bool:
        """Is there no later one yet? Scripts of the page say when they tell something (`press`, ms), for requests
        overtake each other."""
        at = told.get("press")
        if not isinstance(at, int | float):
            return True
        self._at = max(self._at, at)
        return at == self._at
