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
    """At one threshold, shares from 0 to 1, nan where there was nothing to measure. `missed`: segments of people
    enrolled that were not named rightly, those given somebody else's name among them. `misnamed`: segments of others
    named."""

    threshold: float
    missed: float
    misnamed: float

    @property
    def cost(self) -> float:
        """The sum of what was measured of both."""
        return float(np.nansum([self.missed, self.misnamed]))


@dataclass(frozen=True)
class Verdict:
    """The likeliest person's `probability`; is that person `right`; was it a `stranger` who spoke?"""

    probability: float
    right: bool
    stranger: bool


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
    sources = [[Verdict(one.probability_first, one.likeliest == one.person, not one.person) for one in trials]]
    counted = len(corrections) if len(corrections) >= ENOUGH_CORRECTIONS else 0
    if counted:
        sources.append([Verdict(one.probability, one.right, one.truth is None) for one in corrections])
    if not any(sources):
        return None
    found = [Rates(step, *_rates(sources, step)) for step in STEPS]
    least = min(one.cost for one in found)
    best = next(one for one in found if one.cost <= least + 1e-9)
    return Recommendation(best.threshold, len(trials), counted, tuple(found))


def _rates(sources: Sequence[Sequence[Verdict]], threshold: float) -> tuple[float, float]:
    """People missed and strangers named: the mean of the sources that have people, and of those that have strangers."""
    missed, misnamed = [], []
    for source in sources:
        people = [not (one.right and one.probability >= threshold) for one in source if not one.stranger]
        strangers = [one.probability >= threshold for one in source if one.stranger]
        missed += [np.mean(people)] if people else []
        misnamed += [np.mean(strangers)] if strangers else []
    return tuple(float(np.mean(shares)) if shares else float("nan") for shares in (missed, misnamed))
