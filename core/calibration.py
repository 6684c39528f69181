"""Fitting the calibration: scores of simulated enrolments -> slopes, offsets and fusion weights.

People whom no network was trained on are drawn five at a time and enrolled; their remaining segments, and segments of
the people not drawn, are the tests, each clean and through a simulated microphone. Half of the weight lies on
strangers. The seven numbers of `core.heads.Calibration` are those with the least cross-entropy over all tests.
Not imported by the app.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.embedder import MODELS, Embeddings
from core.heads import Calibration, fit_svms, probabilities

NEUTRAL = Calibration(1.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0)
STRANGER_SHARE = 0.5  # of the tests' weight
RIDGE = 1e-4  # keeps the numbers small where the data do not decide


@dataclass(frozen=True, eq=False)
class Voice:
    """One held-out person: embeddings that enrol, and embeddings that test (of other sound)."""

    enrol: Embeddings
    test: Embeddings


@dataclass(frozen=True, eq=False)
class Trials:
    """Scores by model, (n, people), of tests whose answer is column `truth` (n,), or -1 for a stranger."""

    scores: dict[str, np.ndarray]
    truth: np.ndarray


def simulate(voices: list[Voice], cohort: Embeddings, *, draws: int = 60, people: int = 5, seed: int = 0) -> Trials:
    """Score the tests of everybody against `draws` sets of `people` enrolled."""
    chance = np.random.default_rng(seed)
    scores: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    truths = []
    for _ in range(draws):
        drawn = chance.choice(len(voices), people, replace=False)
        for model in MODELS:
            svms = fit_svms([voices[index].enrol.of(model) for index in drawn], cohort.of(model))
            scores[model].append(np.concatenate([svms.scores(voice.test.of(model)) for voice in voices]))
        place = {index: column for column, index in enumerate(drawn)}
        truths.append(np.concatenate([np.full(len(v.test), place.get(i, -1)) for i, v in enumerate(voices)]))
    return Trials({model: np.concatenate(parts) for model, parts in scores.items()}, np.concatenate(truths))


def calibrate(trials: Trials) -> Calibration:
    """The calibration with the least weighted cross-entropy on `trials`."""
    cnn_slope, cnn_offset = _line(trials.scores["cnn"], trials.truth)
    ann_slope, ann_offset = _line(trials.scores["ann"], trials.truth)
    cnn = cnn_slope * trials.scores["cnn"] + cnn_offset
    ann = ann_slope * trials.scores["ann"] + ann_offset

    def loss(values: np.ndarray) -> float:
        weights = np.abs(values[:2])  # a model never speaks against itself
        return cross_entropy(weights[0] * cnn + weights[1] * ann + values[2], trials.truth) + RIDGE * values @ values

    cnn_weight, ann_weight, offset = _least(loss, [0.7, 0.3, 0.0])
    return Calibration(
        *(float(v) for v in (cnn_slope, cnn_offset, ann_slope, ann_offset, abs(cnn_weight), abs(ann_weight), offset))
    )


def _line(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    def loss(values: np.ndarray) -> float:
        return cross_entropy(values[0] * scores + values[1], truth) + RIDGE * values @ values

    slope, offset = _least(loss, [3.0, 0.0])
    return slope, offset


def _least(loss, start: list[float]) -> np.ndarray:
    from scipy.optimize import minimize

    return minimize(loss, np.array(start), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-4}).x


def cross_entropy(log_odds: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log-probability of the truth, strangers weighted to `STRANGER_SHARE`."""
    chances = probabilities(log_odds)
    hit = chances[np.arange(len(truth)), np.where(truth < 0, chances.shape[1] - 1, truth)]
    lost = -np.log(np.maximum(hit, 1e-12))
    stranger = truth < 0
    return float(STRANGER_SHARE * lost[stranger].mean() + (1.0 - STRANGER_SHARE) * lost[~stranger].mean())


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, bins: int = 10) -> float:
    """Mean gap between stated probability and frequency of being right, over equal-width bins (Guo et al. 2017)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        np.mean(place == b) * abs(confidence[place == b].mean() - correct[place == b].mean())
        for b in range(bins)
        if np.any(place == b)
    ]
    return float(sum(gaps))
