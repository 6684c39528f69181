"""Fitting the calibration: scores of simulated enrolments -> slopes, offsets and fusion weights.

People whom no network was trained on are drawn five at a time and enrolled; their remaining speech, and that of the
people not drawn, are the tests, each clean and through a simulated microphone. A draw is made within one corpus where
it is large enough: strangers who were recorded like the people enrolled are the hard ones, and the usual ones in one
room. Half of the weight lies on strangers. The numbers of `core.heads.Calibration` are those with the least
cross-entropy over all tests.
Not imported by the app.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.embedder import MODELS, Embeddings
from core.heads import Calibration, closeness, fit_svms, probabilities

NEUTRAL = Calibration(1.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0)
STRANGER_SHARE = 0.5  # of the tests' weight
RIDGE = 1e-4  # keeps the numbers small where the data do not decide


@dataclass(frozen=True, eq=False)
class Voice:
    """One held-out person: embeddings that enrol, embeddings that test (of other sound), and the corpus."""

    enrol: Embeddings
    test: Embeddings
    corpus: str = ""


@dataclass(frozen=True, eq=False)
class Trials:
    """Scores (n, people) and closeness (n,), by model, of tests whose answer is column `truth` (n,), -1: a stranger."""

    scores: dict[str, np.ndarray]
    closeness: dict[str, np.ndarray]
    truth: np.ndarray


def simulate(voices: list[Voice], cohort: Embeddings, *, draws: int = 60, people: int = 5, seed: int = 0) -> Trials:
    """Score tests against `draws` sets of `people` enrolled; the corpora with at least two voices more than `people`,
    and all voices together, take turns."""
    chance = np.random.default_rng(seed)
    corpora = sorted({voice.corpus for voice in voices})
    groups = [[v for v in voices if v.corpus == corpus] for corpus in corpora]
    groups = [group for group in groups if len(group) >= people + 2] if len(corpora) > 1 else []
    groups.append(voices)
    scores: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    near: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    truths = []
    for draw in range(draws):
        group = groups[draw % len(groups)]
        drawn = chance.choice(len(group), people, replace=False)
        for model in MODELS:
            tests = np.concatenate([voice.test.of(model) for voice in group])
            svms = fit_svms([group[index].enrol.of(model) for index in drawn], cohort.of(model))
            scores[model].append(svms.scores(tests))
            near[model].append(closeness(tests, cohort.of(model)))
        place = {index: column for column, index in enumerate(drawn)}
        truths.append(np.concatenate([np.full(len(v.test), place.get(i, -1)) for i, v in enumerate(group)]))
    return Trials(
        {model: np.concatenate(parts) for model, parts in scores.items()},
        {model: np.concatenate(parts) for model, parts in near.items()},
        np.concatenate(truths),
    )


def calibrate(trials: Trials) -> Calibration:
    """The calibration with the least weighted cross-entropy on `trials`."""
    cnn, ann = (_line(trials.scores[model], trials.closeness[model], trials.truth) for model in MODELS)
    alone = Calibration(*cnn[:2], *ann[:2], 1.0, 1.0, 0.0, cnn[2], ann[2]).log_odds(trials.scores, trials.closeness)

    def loss(values: np.ndarray) -> float:
        weights = np.abs(values[:2])  # a model never speaks against itself
        fused = weights[0] * alone["cnn"] + weights[1] * alone["ann"] + values[2]
        return cross_entropy(fused, trials.truth) + RIDGE * values @ values

    cnn_weight, ann_weight, offset = _least(loss, [0.7, 0.3, 0.0])
    return Calibration(*cnn[:2], *ann[:2], abs(cnn_weight), abs(ann_weight), offset, cnn[2], ann[2])


def _line(scores: np.ndarray, near: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Slope, offset and weight of the closeness."""

    def loss(values: np.ndarray) -> float:
        log_odds = values[0] * scores + values[1] - values[2] * near[:, None]
        return cross_entropy(log_odds, truth) + RIDGE * values @ values

    slope, offset, weight = _least(loss, [3.0, 0.0, 0.0])
    return slope, offset, weight


def _least(loss, start: list[float]) -> list[float]:
    from scipy.optimize import minimize

    found = minimize(
        loss, np.array(start), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-3, "fatol": 1e-5}
    )
    return [float(value) for value in found.x]


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
