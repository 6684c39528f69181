"""How long pieces of work take beside each other: interleaved, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Work = Callable[[], object]


@dataclass(frozen=True)
class Pace:
    """Median seconds of a piece of work: `clock`, as it passes; `processor`, of all threads of this program."""

    clock: float
    processor: float


def interleaved(works: Mapping[str, Work], *, repeats: int) -> dict[str, Pace]:
    """One call of each that warms up, then `repeats` rounds in which each has its turn."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            clock, processor = time.perf_counter(), time.process_time()
            work()
            taken[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {name: Pace(*(float(value) for value in np.median(times, axis=0))) for name, times in taken.items()}


def slower(ratios: Mapping[str, float], recorded: Mapping[str, float], *, allowed: float) -> dict[str, float]:
    """By name, how many times a ratio is what was recorded, where that is more than `allowed`."""
    grown = {name: ratios[name] / recorded[name] for name in ratios if name in recorded}
    return {name: times for name, times in grown.items() if times > allowed}


def lasting(
    measure: Callable[[], Mapping[str, float]], recorded: Mapping[str, float], *, allowed: float, tries: int
) -> dict[str, float]:
    """What is `slower` in every one of `tries` measurements, at its smallest: noise passes, a regression stays."""
    worst = slower(measure(), recorded, allowed=allowed)
    for _ in range(tries - 1):
        if worst:
            again = slower(measure(), recorded, allowed=allowed)
            worst = {name: min(times, again[name]) for name, times in worst.items() if name in again}
    return worst
