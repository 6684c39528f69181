"""Heads: linear SVMs over embeddings that name a person or say `Unknown`, with calibrated probabilities.

For each model one linear SVM per person enrolled, against everybody else enrolled and the cohort (embeddings of
training voices and of noise: what "somebody else" sounds like). Scores become probabilities in one softmax over all
people and Unknown, whose slope and offset were fitted on simulated enrolments of voices no network was trained on
(`core.calibration`). The fusion adds the two models' log-odds with fitted weights. With more than `CROWD` people the
classifiers come from one closed form (`core.crowd`), brought to the scale of SVMs, and each person is the less likely
beforehand the more there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.crowd import fit_crowd
from core.embedder import MODELS, Embeddings
from core.nearness import Nearness, measure_nearness
from core.side_by_side import side_by_side

UNKNOWN = "Unknown"
NOT_ENOUGH_SPEECH = "not enough speech"
ANSWERS = (*MODELS, "both")
CROWD = 50  # people up to whom each has an SVM of their own; beyond, all are solved together
C = 1.0  # SVM regularisation; classes are balanced


@dataclass(frozen=True)
class Decision:
    """One model's answer to one segment.

    `name`: a person, `UNKNOWN` or `NOT_ENOUGH_SPEECH`. `probability`: calibrated, of `name`. `runner_up`: the next
    likely (a person or `UNKNOWN`; '' where there is none) with its probability.
    """

    name: str
    probability: float
    runner_up: str = ""
    runner_up_probability: float = 0.0

    @property
    def is_person(self) -> bool:
        """Was somebody enrolled named?"""
        return self.name not in (UNKNOWN, NOT_ENOUGH_SPEECH)

    def __str__(self) -> str:
        if self.name == NOT_ENOUGH_SPEECH:
            return self.name
        following = f" (next: {self.runner_up} {self.runner_up_probability:.2f})" if self.runner_up else ""
        return f"{self.name} {self.probability:.2f}{following}"


SILENT = Decision(NOT_ENOUGH_SPEECH, 1.0)


@dataclass(frozen=True)
class Calibration:
    """Log-odds of a person against Unknown = `slope` * score - `rivals` * (1 + mean score of the others enrolled)
    + `offset`, for each model; `cnn_weight`, `ann_weight` and `both_offset` make the fusion of the log-odds. The score
    is the SVM's and `lead` times the lead over the cohort (`core.nearness`).

    A stranger in the room where people enrolled comes a little close to all of them, a person enrolled to one only: the
    scores of the others tell the two apart where the score alone cannot.
    """

    cnn_slope: float
    cnn_rivals: float
    cnn_offset: float
    ann_slope: float
    ann_rivals: float
    ann_offset: float
    cnn_weight: float
    ann_weight: float
    both_offset: float
    cnn_lead: float = 0.0
    ann_lead: float = 0.0

    def log_odds(
        self, scores: dict[str, np.ndarray], leads: dict[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """SVM scores and leads (n, people) by model -> log-odds against Unknown for 'cnn', 'ann' and 'both'."""
        if leads:
            weights = {"cnn": self.cnn_lead, "ann": self.ann_lead}
            scores = {model: scores[model] + weights[model] * leads[model] for model in weights}
        cnn = self.cnn_slope * scores["cnn"] - self.cnn_rivals * rivalry(scores["cnn"]) + self.cnn_offset
        ann = self.ann_slope * scores["ann"] - self.ann_rivals * rivalry(scores["ann"]) + self.ann_offset
        return {"cnn": cnn, "ann": ann, "both": self.cnn_weight * cnn + self.ann_weight * ann + self.both_offset}


def rivalry(scores: np.ndarray) -> np.ndarray:
    """1 + the mean score of everybody else enrolled, (n, people) -> (n, people); 0 where a person is alone.

    -1 is an SVM's own score of somebody else.
    """
    people = scores.shape[1]
    if people < 2:
        return np.zeros_like(scores)
    return 1.0 + (scores.sum(axis=1, keepdims=True) - scores) / (people - 1)


def probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Log-odds against Unknown (n, people) -> probabilities (n, people + 1); the last column is Unknown."""
    logits = np.concatenate([log_odds, np.zeros((len(log_odds), 1))], axis=1)
    logits = np.exp(logits - logits.max(axis=1, keepdims=True))
    return logits / logits.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class LinearSVMs:
    """One SVM per person: `weights` (people, D), `offsets` (people,)."""

    weights: np.ndarray
    offsets: np.ndarray

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, people): positive on the person's side. One matrix product."""
        return embeddings @ self.weights.T + self.offsets


def fit_svms(people: Sequence[np.ndarray], cohort: np.ndarray, *, c: float = C) -> LinearSVMs:
    """One linear SVM per person against all others and the cohort.

    `people`: one array (n_i, D) of embeddings per person. `cohort`: (m, D).
    """
    from sklearn.svm import SVC

    size = cohort.shape[1]
    weights, offsets = np.zeros((len(people), size), np.float32), np.zeros(len(people), np.float32)
    everything = np.concatenate([*people, cohort]) if people else cohort
    owner = np.concatenate([*(np.full(len(one), i) for i, one in enumerate(people)), np.full(len(cohort), -1)])
    for index in range(len(people)):
        machine = SVC(kernel="linear", C=c, class_weight="balanced").fit(everything, owner == index)
        weights[index], offsets[index] = machine.coef_[0], machine.intercept_[0]
    return LinearSVMs(weights, offsets)


def fit_many(people: Sequence[np.ndarray], cohort: np.ndarray) -> LinearSVMs:
    """As `fit_svms`, for a crowd: in closed form, then a line through the scores that SVMs of a few of them give."""
    weights, offsets = fit_crowd(people, cohort)
    slope, shift = _to_svm_scale(people, cohort)
    return LinearSVMs(weights * slope, offsets * slope + shift)


def _to_svm_scale(people: Sequence[np.ndarray], cohort: np.ndarray) -> tuple[np.float32, np.float32]:
    """Slope and shift from scores in closed form to scores of SVMs, on sound that neither was fitted to.

    Ten people give the first half of their embeddings to both kinds of classifier, the second half is scored; so it is
    with fifty people around them, and with the cohort.
    """
    around = [people[place] for place in np.linspace(0, len(people) - 1, min(len(people), 60)).astype(int)]
    few = [one for one in around if len(one) > 1][::6]
    if not few:
        return np.float32(1.0), np.float32(0.0)
    fitted = [one[: len(one) // 2] for one in few]
    scored = np.concatenate([*(one[len(one) // 2 :] for one in few), *around[1::2], cohort[1::4]])
    others = np.concatenate([*around[2::2], cohort[::4]])
    svms, (weights, offsets) = fit_svms(fitted, others), fit_crowd(fitted, others)
    slope, shift = np.polyfit((scored @ weights.T + offsets).ravel(), svms.scores(scored).ravel(), 1)
    return np.float32(slope), np.float32(shift)


class Heads:
    """The heads of both models for the people enrolled; immutable, refitted as a whole when people change."""

    def __init__(
        self,
        names: Sequence[str],
        people: Sequence[Embeddings],
        cohort: Embeddings,
        calibration: Calibration,
        *,
        sureness: float = 0.0,
    ):
        """`people[i]`: the enrolment embeddings of `names[i]`. One person is enough; none answers Unknown always.
        `sureness`: a person less probable than that is not named but runner-up to Unknown."""
        self.names = tuple(names)
        self.sureness = sureness
        self.calibration = calibration
        few = len(people) <= CROWD

        def fitted(model: str) -> tuple[LinearSVMs, Nearness]:
            heard, everything = [one.heard_by(model) for one in people], [one.of(model) for one in people]
            machines = fit_svms(everything, cohort.of(model)) if few else fit_many(heard, cohort.of(model))
            return machines, measure_nearness(heard, cohort.of(model))

        both = dict(zip(MODELS, side_by_side(fitted, MODELS), strict=True))
        self.machines = {model: machines for model, (machines, _) in both.items()}
        self.near = {model: near for model, (_, near) in both.items()}

    def log_odds(self, embeddings: Embeddings) -> dict[str, np.ndarray]:
        """By answer ('cnn', 'ann', 'both'): log-odds against Unknown, (n, people)."""
        odds = self.calibration.log_odds(
            {model: self.machines[model].scores(embeddings.of(model)) for model in MODELS},
            {model: self.near[model].lead(embeddings.of(model)) for model in MODELS},
        )
        crowded = np.log(max(len(self.names), CROWD) / CROWD)  # 0 as long as it is no crowd
        return {answer: values - crowded for answer, values in odds.items()}

    def decide(self, embeddings: Embeddings) -> list[dict[str, Decision]]:
        """For each segment the decisions by answer: {'cnn': ..., 'ann': ..., 'both': ...}."""
        odds = {answer: probabilities(values) for answer, values in self.log_odds(embeddings).items()}
        return [{answer: self._decision(odds[answer][row]) for answer in ANSWERS} for row in range(len(embeddings))]

    def _decision(self, chances: np.ndarray) -> Decision:
        best = int(chances.argmax())  # the first of equals
        if len(chances) == 1:
            return Decision(UNKNOWN, float(chances[best]))
        others = chances.copy()
        others[best] = -1.0
        second = int(others.argmax())
        if best < len(self.names) and chances[best] < self.sureness:
            best, second = len(self.names), best
        return Decision(self._name(best), float(chances[best]), self._name(second), float(chances[second]))

    def _name(self, column: int) -> str:
        return self.names[column] if column < len(self.names) else UNKNOWN
