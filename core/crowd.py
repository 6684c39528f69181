"""Heads for a crowd: one linear classifier per person in closed form, where an SVM each would take minutes.

For each person the ridge regression to +1 on their embeddings and -1 on everybody else's and the cohort's, both sides
with half of the weight (a least-squares SVM: Suykens & Vandewalle 1999, "Least squares support vector machine
classifiers", with balanced classes). All share the second moments of everybody's embeddings, which are factored once;
what a person changes in them is a matrix of the rank of their few embeddings (Woodbury's identity). The cost grows with
the number of embeddings, not with its square: ten thousand people take about a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RIDGE = 0.003  # of |w|^2, where the mean squared error on each side counts one half
MOMENT_ROWS = 10_000  # embeddings that suffice for second moments: their error is then far below `RIDGE`
BATCH = 1_000  # people solved together


def fit_crowd(people: Sequence[np.ndarray], cohort: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights float32 (people, D) and offsets float32 (people,) of each person against all others and the cohort.

    `people`: one array (n_i, D) of embeddings per person, at least one; `cohort`: (m, D).
    """
    counts = np.array([len(one) for one in people])
    everything = np.concatenate(people).astype(np.float32, copy=False)
    rows = np.column_stack([everything, np.ones(len(everything), np.float32)])  # (n, D + 1): the last is the offset
    others = np.column_stack([cohort, np.ones(len(cohort))]).astype(np.float64)
    size = rows.shape[1]
    total = _moments(rows) + others.T @ others
    total_sum = rows.sum(axis=0, dtype=np.float64) + others.sum(axis=0)
    number = len(rows) + len(cohort)
    rest = number - counts.mean()  # of all others; the exact number differs by a person's own few
    shared = 0.5 * total / rest + np.diag([RIDGE] * (size - 1) + [1e-6])
    inverse = np.linalg.inv(np.linalg.cholesky(shared)).astype(np.float32)  # whitens: inverse @ shared @ inverse.T = 1
    white = rows @ inverse.T
    starts = np.concatenate([[0], np.cumsum(counts)])
    found = np.empty((len(people), size), np.float32)
    for count in np.unique(counts):
        members = np.flatnonzero(counts == count)
        for first in range(0, len(members), BATCH):
            some = members[first : first + BATCH]
            places = starts[some][:, None] + np.arange(count)  # (people, count)
            mine = white[places]  # (people, count, D + 1)
            own_sum = rows[places].sum(axis=1)
            wanted = 0.5 * own_sum / count - 0.5 * (total_sum - own_sum) / (number - count)
            target = (wanted @ inverse.T).astype(np.float32)  # (people, D + 1)
            gram = mine @ mine.transpose(0, 2, 1)  # (people, count, count)
            gram += np.eye(count, dtype=np.float32) / np.float32(0.5 / count - 0.5 / (number - count))
            along = np.linalg.solve(gram, mine @ target[:, :, None])  # (people, count, 1)
            found[some] = target - (mine.transpose(0, 2, 1) @ along)[:, :, 0]
    found = found @ inverse
    return np.ascontiguousarray(found[:, :-1]), np.ascontiguousarray(found[:, -1])


def _moments(rows: np.ndarray) -> np.ndarray:
    """Sum of the rows' outer products, float64 (D, D); of very many rows estimated from evenly spaced ones."""
    some = rows[:: max(1, len(rows) // MOMENT_ROWS)].astype(np.float64)
    return some.T @ some * (len(rows) / len(some))
