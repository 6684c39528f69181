"""How near a voice is to a person enrolled, by cosine, measured against how near the cohort comes.

A microphone or a room that a stranger shares with the people enrolled raises all cosines, those to the nearest voices
of the cohort too. `lead` takes them off on both sides: adaptive symmetric score normalisation without its division
(Matejka et al. 2017, "Analysis of score normalization in multilingual speaker recognition").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAREST = 50  # voices of the cohort that are compared with


@dataclass(frozen=True, eq=False)
class Nearness:
    """`means` (people, D): the mean enrolment embedding of each person, length 1; `crowds` (people,): its mean cosine
    to the nearest of `cohort` (m, D)."""

    means: np.ndarray
    crowds: np.ndarray
    cohort: np.ndarray

    def lead(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, people): cosine to the person less what the cohort's nearest have with test and person."""
        return embeddings @ self.means.T - (crowd(embeddings, self.cohort)[:, None] + self.crowds) / 2


def measure_nearness(people: Sequence[np.ndarray], cohort: np.ndarray) -> Nearness:
    """`people`: one array (n_i, D) of embeddings each; `cohort`: (m, D)."""
    means = np.array([one.mean(axis=0) for one in people], np.float32).reshape(-1, cohort.shape[1])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    return Nearness(means, crowd(means, cohort), cohort)


def crowd(embeddings: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Mean cosine of each of (n, D) to its `NEAREST` of the cohort: (n,)."""
    scores = embeddings @ cohort.T
    count = min(NEAREST, scores.shape[1])
    return np.partition(scores, scores.shape[1] - count, axis=1)[:, scores.shape[1] - count :].mean(axis=1)
