"""Curves and intervals of a classifier's answers: precision-recall, DET, reliability, confusion, Wilson, sign flips.

Each from plain arrays; the same numbers as scikit-learn's where it has them (tests hold them to it), drawn by
`core.chart`. A trial is a pair of a segment and a person; it is true where the person spoke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

Z95 = 1.959964  # standard deviations: 95 % of a normal distribution lie within
BINS = 10  # of a reliability curve
FLIPPED = 14  # differences of which all signs are tried


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """From the highest threshold to the lowest: `precision` and `recall`, (k,), from 0 to 1. `average`: the average
    precision, mean precision weighted by the growth of recall (Zhu 2004); nan without a true trial."""

    precision: np.ndarray
    recall: np.ndarray
    average: float


@dataclass(frozen=True, eq=False)
class Det:
    """Detection error trade-off (Martin et al. 1997), from the lowest threshold to the highest: the fraction of untrue
    trials that pass, `accepts` (k,) from 1 to 0, and of true ones that do not, `rejects` (k,) from 0 to 1.
    `equal`: where both are the same, interpolated linearly between the two neighbouring points; `threshold`: the score
    there; both nan where either kind of trial is missing."""

    accepts: np.ndarray
    rejects: np.ndarray
    equal: float
    threshold: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """Do probabilities mean what they say? By equal-width bin that is not empty: mean probability `stated` (b,),
    frequency of being right `found` (b,), number of answers `counts` (b,)."""

    stated: np.ndarray
    found: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap over all answers (Guo et al. 2017); nan without answers."""
        if not self.counts.sum():
            return float("nan")
        return float(np.average(np.abs(self.stated - self.found), weights=self.counts))


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a fraction (Wilson 1927); (nan, nan) of nothing.

    It takes trials for independent. Segments of one person are not: over people the truth is two to three times wider.
    """
    if not trials:
        return float("nan"), float("nan")
    share, shrink = hits / trials, 1.0 + Z95**2 / trials
    centre = (share + Z95**2 / (2 * trials)) / shrink
    half = Z95 * sqrt(share * (1.0 - share) / trials + Z95**2 / (4 * trials**2)) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p-value that paired differences (n,) come from a distribution around zero: how often their sum is as
    far from it when every sign is a coin's (Fisher 1935, "The Design of Experiments"). All signs up to `FLIPPED`
    differences, random ones beyond; 1.0 of none."""
    differences = np.asarray(differences, float)
    differences = differences[differences != 0.0]
    if not len(differences):
        return 1.0
    if len(differences) <= FLIPPED:
        signs = 1 - 2 * ((np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences))) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1, 1], (2**FLIPPED, len(differences)))
    return float(np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9))


def precision_recall(truth: np.ndarray, scores: np.ndarray) -> PrecisionRecall:
    """`truth`: bool, `scores`: higher = more likely true; both of one shape. Equal scores are one threshold."""
    truth, scores = np.ravel(truth).astype(bool), np.ravel(scores)
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.zeros(0, int)
    found = np.cumsum(truth)[last]
    if not truth.any():
        return PrecisionRecall(np.zeros(len(last)), np.full(len(last), np.nan), float("nan"))
    precision, recall = found / (last + 1), found / truth.sum()
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return PrecisionRecall(np.append(1.0, precision), np.append(0.0, recall), average)


def det(truth: np.ndarray, scores: np.ndarray) -> Det:
    """`truth`: bool, `scores`: higher = more likely true; both of any one shape."""
    truth, scores = np.ravel(truth).astype(bool), np.ravel(scores)
    return det_between(scores[truth], scores[~truth])


def det_between(same: np.ndarray, different: np.ndarray) -> Det:
    """`same`, `different`: scores of true trials and of untrue ones, of any shape."""
    same, different = np.sort(np.ravel(same)), np.sort(np.ravel(different))
    if not len(same) or not len(different):
        return Det(np.zeros(0), np.zeros(0), float("nan"), float("nan"))
    thresholds = np.append(np.unique(np.concatenate([same, different])), np.inf)
    rejects = np.searchsorted(same, thresholds, side="left") / len(same)
    accepts = 1.0 - np.searchsorted(different, thresholds, side="left") / len(different)
    after = int(np.argmax(rejects >= accepts))  # never 0: the lowest threshold accepts all, infinity rejects all
    gap, before = rejects[after] - accepts[after], accepts[after - 1] - rejects[after - 1]
    rate = rejects[after - 1] + before / (before + gap) * (rejects[after] - rejects[after - 1])
    threshold = thresholds[after] if np.isfinite(thresholds[after]) else thresholds[after - 1]
    return Det(accepts, rejects, float(rate), float(threshold))


def reliability(stated: np.ndarray, right: np.ndarray, *, bins: int = BINS) -> Reliability:
    """`stated`: probabilities of the answers given (n,); `right`: bool (n,), were they."""
    stated, right = np.asarray(stated, float), np.asarray(right, bool)
    place = np.minimum((stated * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    sums = (np.bincount(place, weights=values, minlength=bins)[filled] for values in (stated, right))
    mean, found = (values / counts[filled] for values in sums)
    return Reliability(mean, found, counts[filled])


def confusion(truth: Sequence[int], answers: Sequence[int], *, rows: int, columns: int) -> np.ndarray:
    """Counts, int (rows, columns): how often `truth` (a row) was answered with a column."""
    table = np.zeros((rows, columns), np.int64)
    np.add.at(table, (np.asarray(truth, int), np.asarray(answers, int)), 1)
    return table
