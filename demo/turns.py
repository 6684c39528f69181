"""Whose turn it is: recordings are judged so many at a time, and those that wait know how many are before them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import Cancelled

LOOK_SECONDS = 0.2  # s between looks at whether somebody who waits still wants to


class Turns:
    """At most `count` at a time, in the order in which they came."""

    def __init__(self, count: int):
        self._count = count
        self._changed = threading.Condition()
        self._here: list[object] = []  # those whose turn it is, then those who wait

    @contextmanager
    def turn(
        self, *, tell: Callable[[int], None] = lambda before: None, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Wait, then go. `tell` hears how many are still before one, at first and when that changes, 0 last of all.
        Raises `Cancelled` when `stopped` says so while waiting."""
        mine, told = object(), None
        with self._changed:
            self._here.append(mine)
        try:
            with self._changed:
                while told != 0:
                    before = max(0, self._here.index(mine) - self._count + 1)
                    if before != told:
                        told = before
                        tell(before)
                    if stopped():
                        raise Cancelled("stopped while waiting")
                    if before:
                        self._changed.wait(LOOK_SECONDS)
            yield
        finally:
            with self._changed:
                self._here.remove(mine)
                self._changed.notify_all()
