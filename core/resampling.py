"""How far a figure would move with other speakers: the same measure over speakers drawn again with replacement.

Tests of one speaker are alike, so that speakers, not tests, are drawn (Bolle, Ratha & Pankanti 2004, "Error analysis of
pattern recognition systems - the subsets bootstrap"). Every model is measured with the same speakers drawn: the
difference of two models moves less than either. Not imported by the app.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TIMES = 500


@dataclass(frozen=True, eq=False)
class Detail:
    """One model through one channel, speaker by speaker and drawn again.

    `asked`, `right`, `refused`: int (speakers,), over all draws the tests of a speaker who is enrolled, those that went
    to the right one of the people drawn, and those that were answered Unknown (0 without calibrated scores).
    `accuracy`, `eer`, `open_set_eer`: (TIMES,), see `core.evaluation.Cell`; nan where nothing was left to measure.
    """

    asked: np.ndarray
    right: np.ndarray
    refused: np.ndarray
    accuracy: np.ndarray
    eer: np.ndarray
    open_set_eer: np.ndarray


def drawn_again(speakers: int, seed: int = 0) -> np.ndarray:
    """How often each of `speakers` is drawn: int (TIMES, speakers)."""
    chosen = np.random.default_rng(seed).integers(0, speakers, (TIMES, speakers))
    return np.stack([np.bincount(one, minlength=speakers) for one in chosen])


def resampled_share(hits: np.ndarray, of: np.ndarray, times: np.ndarray) -> np.ndarray:
    """sum(hits) / sum(of) over the speakers drawn, (TIMES,). `hits`, `of`: (speakers,)."""
    total = times @ of
    return np.where(total > 0, times @ hits / np.maximum(total, 1), np.nan)


def resampled_eer(scores: np.ndarray, same: np.ndarray, about: Sequence[np.ndarray], times: np.ndarray) -> np.ndarray:
    """The equal error rate over the speakers drawn, (TIMES,).

    `scores`, `same` (bool): (n,), of pairs. `about`: int (n,) each, the one or two speakers whom a pair is about; it
    counts as often as they are drawn together, and a pair of one speaker as often as that one is.
    """
    order = np.argsort(-scores, kind="stable")
    same, about = same[order], [one[order] for one in about]
    rates = np.full(len(times), np.nan)
    for index, count in enumerate(times.astype(np.float32)):
        weight = count[about[0]]
        if len(about) > 1:
            weight = np.where(same, weight, weight * count[about[1]])
        accepted = np.cumsum(np.where(same, 0.0, weight), dtype=np.float64)
        found = np.cumsum(np.where(same, weight, 0.0), dtype=np.float64)
        if len(found) and found[-1] > 0 and accepted[-1] > 0:
            accept, reject = accepted / accepted[-1], 1.0 - found / found[-1]
            place = int(np.argmax(accept >= reject))
            rates[index] = (accept[place] + reject[place]) / 2.0
    return rates


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of what was drawn again; nan where that is nothing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
