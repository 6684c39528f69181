"""Measures of speaker recognition, each from plain arrays of scores."""

from __future__ import annotations

import numpy as np


def equal_error_rate(same: np.ndarray, different: np.ndarray) -> tuple[float, float]:
    """Where false accepts and false rejects are equally frequent: (rate from 0 to 1, threshold).

    `same`, `different`: scores of pairs of one person and of two, higher = more alike, any shape. The rate is
    interpolated linearly between the two neighbouring operating points.
    """
    same, different = np.sort(np.ravel(same)), np.sort(np.ravel(different))
    if not len(same) or not len(different):
        return float("nan"), float("nan")
    thresholds = np.append(np.unique(np.concatenate([same, different])), np.inf)
    reject = np.searchsorted(same, thresholds, side="left") / len(same)
    accept = 1.0 - np.searchsorted(different, thresholds, side="left") / len(different)
    after = int(np.argmax(reject >= accept))  # never 0: the lowest threshold accepts all, infinity rejects all
    gap, before = reject[after] - accept[after], accept[after - 1] - reject[after - 1]
    rate = reject[after - 1] + before / (before + gap) * (reject[after] - reject[after - 1])
    return float(rate), float(thresholds[after] if np.isfinite(thresholds[after]) else thresholds[after - 1])
