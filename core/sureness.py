"""Sureness: how probable a person must be before the name is said; recommended from measurement, never set by itself.

Two sources: the self-check of the people enrolled (`core.self_check`), and, once there are enough of them, the
corrections that users made (`core.corrections`). Recommended is the probability at which people missed and strangers
named, as shares, sum up to the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.corrections import Correction
from core.self_check import Trial

ENOUGH_CORRECTIONS = 10  # before corrections say anything about a threshold
STEPS = tuple(round(0.05 * step, 2) for step in range(10, 20))  # 0.5 .. 0.95: what can be chosen


@dataclass(frozen=True)
class Rates:
    """At one threshold: shares from 0 to 1 of people not named rightly and of strangers (or others) named."""

    threshold: float
    missed: float
    misnamed: float


@dataclass(frozen=True)
class Recommendation:
    """A threshold and what it costs, measured. `measured`: trials of the self-check. `corrections`: how many counted
    (0 while there are too few). `rates`: at every step of `STEPS`."""

    threshold: float
    measured: int
    corrections: int
    rates: tuple[Rates, ...]

    @property
    def best(self) -> Rates:
        """At the recommended threshold."""
        return next(one for one in self.rates if one.threshold == self.threshold)


def recommend(trials: Sequence[Trial], corrections: Sequence[Correction] = ()) -> Recommendation | None:
    """The threshold of least cost; the lowest of those that are equal. None where there is nothing to measure."""
    sources = [([(one.probability_first, one.likeliest == one.person) for one in trials])]
    counted = len(corrections) if len(corrections) >= ENOUGH_CORRECTIONS else 0
    if counted:
        sources.append([(one.probability, one.right) for one in corrections])
    sources = [source for source in sources if source]
    if not sources:
        return None
    found = []
    for step in STEPS:
        rates = np.array([_rates(source, step) for source in sources])
        found.append(Rates(step, *(float(value) for value in rates.mean(axis=0))))
    least = min(one.missed + one.misnamed for one in found)
    best = next(one for one in found if one.missed + one.misnamed <= least + 1e-9)
    return Recommendation(best.threshold, len(trials), counted, tuple(found))


def _rates(source: Sequence[tuple[float, bool]], threshold: float) -> tuple[float, float]:
    """Of (probability of the likeliest person, was it right): share of right ones not named, of wrong ones named."""
    right = np.array([probability for probability, correct in source if correct])
    wrong = np.array([probability for probability, correct in source if not correct])
    missed = float(np.mean(right < threshold)) if len(right) else 0.0
    misnamed = float(np.mean(wrong >= threshold)) if len(wrong) else 0.0
    return missed, misnamed
