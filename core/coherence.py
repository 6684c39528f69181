"""Coherence: is an enrolment one voice? Measured on how alike its parts are, against what two strangers have in common.

Similarities of embeddings are normalised by the cohort (adaptive s-norm: Matejka et al. 2017, "Analysis of score
normalization in multilingual speaker recognition"), so they count standard deviations above the 100 nearest strangers
and mean the same under other weights. The enrolment is split into the two parts that are least alike; the similarity
between them says whether they are one voice. Whole segments find a voice that speaks for 5 s or more, half segments
one that takes turns inside them. `scripts/measure_enrolment.py` prints how often one voice and two are told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.embedder import MODELS, Embeddings

NEAREST = 100  # of the cohort: what normalises
ONE_VOICE = 2.0  # between the parts of whole segments; below it speaks more than one voice
ONE_VOICE_HALVES = 0.7  # the same for half segments, whose embeddings are rougher
SAME_PERSON = 2.0  # between two recordings of one person, through any microphone; below it, who knows
SAME_VOICE = 4.0  # between recordings under two names: above it they may be one person
ROUNDS = 10  # of the search for the two parts


@dataclass(frozen=True)
class Coherence:
    """How alike the two least similar parts are, of whole segments and of half ones."""

    whole: float
    halves: float

    @property
    def one_voice(self) -> bool:
        """Is it one voice?"""
        return self.whole >= ONE_VOICE and self.halves >= ONE_VOICE_HALVES


def coherence(segments: Embeddings, halves: Embeddings, cohort: Embeddings) -> Coherence:
    """Of an enrolment: embeddings of its segments of 5 s, and of its pieces of 2.5 s."""
    return Coherence(*(least_alike(likeness(part, part, cohort)) for part in (segments, halves)))


def likeness(some: Embeddings, others: Embeddings, cohort: Embeddings) -> np.ndarray:
    """Normalised similarity (n, m) of n embeddings to m others, the mean of both models."""
    return np.mean([_normalised(some.of(m), others.of(m), cohort.of(m)) for m in MODELS], axis=0)


def least_alike(similarity: np.ndarray) -> float:
    """The mean similarity between the two parts of a recording that are least alike. `similarity`: (n, n).

    Parts grow from the least similar pair: each piece goes where it is more similar, until nothing moves. Less than two
    pieces: infinity.
    """
    count = len(similarity)
    if count < 2:
        return float("inf")
    pairs = similarity + np.diag(np.full(count, np.inf))
    first, second = np.unravel_index(np.argmin(pairs), pairs.shape)
    part = similarity[:, second] > similarity[:, first]
    part[first], part[second] = False, True
    alike = similarity.copy()
    np.fill_diagonal(alike, 0.0)
    for _ in range(ROUNDS):
        moved = _mean_to(alike, part) > _mean_to(alike, ~part)
        if moved.all() or not moved.any() or (moved == part).all():
            break
        part = moved
    return float(similarity[np.ix_(part, ~part)].mean())


def _mean_to(alike: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Mean similarity of every piece to the others of `part`; -infinity where there are none."""
    others = part.sum() - part.astype(int)
    return np.where(others > 0, alike @ part / np.maximum(others, 1), -np.inf)


def _normalised(some: np.ndarray, others: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    similarity = some @ others.T
    return 0.5 * (_above(similarity, some, cohort) + _above(similarity.T, others, cohort).T)


def _above(similarity: np.ndarray, rows: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """In standard deviations above the mean of each row's nearest strangers."""
    nearest = np.sort(rows @ cohort.T, axis=1)[:, -NEAREST:]
    return (similarity - nearest.mean(axis=1, keepdims=True)) / np.maximum(nearest.std(axis=1, keepdims=True), 1e-6)
