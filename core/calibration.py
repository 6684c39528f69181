"""Fitting the calibration: scores of simulated enrolments -> slopes, offsets and fusion weights.

People whom no network was trained on are drawn five at a time and enrolled in one simulated room (noise,
reverberation, equaliser, band limits; or none); tests are the rest of their speech and that of people not drawn, half
in the same room and half in a room drawn among those of tests, which is the same one time in eleven. A draw is made
within one corpus where that is large enough. So strangers come from where the people enrolled come from: the hard ones,
and the usual ones. The very person at another speed is one of the strangers: most of these voices have one recording,
in which people are told too easily. A set of weights that was calibrated without such strangers named more of them in
other recordings, and its probabilities were further from the truth. Two thirds of the weight lie on strangers.
The numbers of `core.heads.Calibration` are those with the least cross-entropy over all tests. The ANN has a part in the
fusion only where these voices prove that it helps: what it gains is more than `PROOF` standard errors, which are over
people, whose tests are alike. Else the fusion is the CNN's answer.
Not imported by the app.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.curves import BINS, reliability
from core.embedder import MODELS, Embeddings
from core.heads import Calibration, fit_svms, probabilities, rivalry
from core.nearness import measure_nearness

NEUTRAL = Calibration(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.5, 0.5, 0.0)  # and the SVM's score alone
CNN_ALONE = [1.0, 0.0, 0.0]  # the fusion's weights of CNN and ANN, and its offset
STRANGER_SHARE = 2 / 3  # of the tests' weight: to name a stranger is twice as bad as to say Unknown of a person
PROOF = 2.0  # standard errors
RESTARTS = 3
RIDGE = 1e-4  # keeps the numbers small where the data do not decide


@dataclass(frozen=True, eq=False)
class Voice:
    """One held-out person: by room, embeddings that enrol and embeddings that test (of other sound), room r of both
    being the same; `own`: embeddings in rooms where nobody else is heard; `name`: <corpus>-<speaker>."""

    enrol: tuple[Embeddings, ...]
    test: tuple[Embeddings, ...]
    name: str = ""
    own: Embeddings | None = None

    @property
    def corpus(self) -> str:
        """The first part of the name: who is of one corpus sounds alike in more than the voice."""
        return self.name.split("-")[0]


@dataclass(frozen=True, eq=False)
class Trials:
    """Scores and leads by model, (n, people), of tests whose answer is column `truth` (n,), or -1 for a stranger.
    `speakers` (n,): the name of who speaks in each."""

    scores: dict[str, np.ndarray]
    leads: dict[str, np.ndarray]
    truth: np.ndarray
    speakers: np.ndarray


@dataclass(frozen=True, eq=False)
class Draw:
    """Some people enrolled and who is heard then: `people`, their enrolment embeddings; `tests` with their `truth`
    (n,), a place in `people` or -1 for a stranger. `speakers` (n,): the name of who speaks in each test."""

    people: tuple[Embeddings, ...]
    tests: Embeddings
    truth: np.ndarray
    speakers: np.ndarray


def draws(voices: list[Voice], *, count: int = 100, people: int = 5, seed: int = 0) -> Iterator[Draw]:
    """`count` sets of `people`, enrolled in one room, heard in that and in one drawn among those of tests, which may be
    the same; the corpora with at least two voices more than `people`, and all voices together, take turns."""
    chance = np.random.default_rng(seed)
    corpora = sorted({voice.corpus for voice in voices})
    groups = [[v for v in voices if v.corpus == corpus] for corpus in corpora]
    groups = [group for group in groups if len(group) >= people + 2] if len(corpora) > 1 else []
    groups.append(voices)
    for number in range(count):
        group = groups[number % len(groups)]
        drawn = chance.choice(len(group), people, replace=False)
        here, there = chance.integers(len(voices[0].enrol)), chance.integers(len(voices[0].test))
        place = {index: column for column, index in enumerate(drawn)}
        heard = [voice.test[room] for room in (here, there) for voice in group]
        indices = [index for _ in range(2) for index in range(len(group))]
        owners = np.repeat(indices, [len(one) for one in heard])
        yield Draw(
            tuple(group[index].enrol[here] for index in drawn),
            Embeddings(*(np.concatenate([one.of(model) for one in heard]) for model in MODELS)),
            np.array([place.get(index, -1) for index in owners], int),
            np.array([group[index].name for index in owners]),
        )


def simulate(voices: list[Voice], cohort: Embeddings, *, count: int = 100, people: int = 5, seed: int = 0) -> Trials:
    """What the heads say to `draws`."""
    scores: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    leads: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    truths, speakers = [], []
    for draw in draws(voices, count=count, people=people, seed=seed):
        for model in MODELS:
            tests, cloud = draw.tests.of(model), cohort.of(model)
            scores[model].append(fit_svms([person.of(model) for person in draw.people], cloud).scores(tests))
            around = measure_nearness([person.heard_by(model) for person in draw.people], cloud)
            leads[model].append(around.lead(tests))
        truths.append(draw.truth)
        speakers.append(draw.speakers)
    made = [{model: np.concatenate(parts) for model, parts in one.items()} for one in (scores, leads)]
    return Trials(*made, np.concatenate(truths), np.concatenate(speakers))


def joined(parts: Sequence[Trials]) -> Trials:
    """Trials of several simulations as one."""
    scores, leads = (
        {model: np.concatenate([getattr(part, kind)[model] for part in parts]) for model in MODELS}
        for kind in ("scores", "leads")
    )
    truth, speakers = (np.concatenate([getattr(part, kind) for part in parts]) for kind in ("truth", "speakers"))
    return Trials(scores, leads, truth, speakers)


def calibrate(trials: Trials) -> Calibration:
    """The calibration with the least weighted cross-entropy on `trials`."""
    (*cnn, cnn_lead), (*ann, ann_lead) = (
        _line(trials.scores[model], trials.leads[model], trials.truth) for model in MODELS
    )
    alone = Calibration(*cnn, *ann, 1.0, 1.0, 0.0, cnn_lead, ann_lead).log_odds(trials.scores, trials.leads)

    def fused(values: Sequence[float]) -> np.ndarray:
        cnn_weight, ann_weight, offset = values
        return abs(cnn_weight) * alone["cnn"] + abs(ann_weight) * alone["ann"] + offset  # none speaks against itself

    def loss(values: np.ndarray) -> float:
        return cross_entropy(fused(values), trials.truth) + RIDGE * values @ values

    values = _least(loss, [0.7, 0.3, 0.0])
    if not proves_better(fused(values), alone["cnn"], trials):
        values = CNN_ALONE
    cnn_weight, ann_weight, offset = values
    return Calibration(*cnn, *ann, abs(cnn_weight), abs(ann_weight), offset, cnn_lead, ann_lead)


def proves_better(log_odds: np.ndarray, plain: np.ndarray, trials: Trials) -> bool:
    """Is the cross-entropy of `log_odds` (n, people) less than that of `plain` by more than `PROOF` standard errors?

    The difference is a sum over people, each of them one observation (a cluster-robust standard error: Liang & Zeger
    1986, Biometrika 73), as the many tests of one voice are no independent ones. With one person nothing is proved.
    """
    weights = np.where(trials.truth < 0, STRANGER_SHARE, 1.0 - STRANGER_SHARE)
    weights /= np.where(trials.truth < 0, (trials.truth < 0).sum(), (trials.truth >= 0).sum())
    gains = weights * (_lost(plain, trials.truth) - _lost(log_odds, trials.truth))
    _, person = np.unique(trials.speakers, return_inverse=True)
    by_person = np.bincount(person, gains)
    error = np.sqrt(len(by_person)) * by_person.std(ddof=1) if len(by_person) > 1 else np.inf
    return bool(by_person.sum() > PROOF * error)


def _line(scores: np.ndarray, leads: np.ndarray, truth: np.ndarray) -> list[float]:
    """Slope, weight of the rivals, offset, weight of the lead (in units of the SVM's score)."""

    def loss(values: np.ndarray) -> float:
        slope, rivals, offset, lead = values
        both = scores + lead * leads
        return cross_entropy(slope * both - rivals * rivalry(both) + offset, truth) + RIDGE * values @ values

    return _least(loss, [3.0, 0.0, 0.0, 1.0])


def _least(loss, start: list[float]) -> list[float]:
    from scipy.optimize import minimize

    values = np.array(start)
    for _ in range(RESTARTS):  # a simplex may stop too early
        options = {"maxiter": 2000, "xatol": 1e-3, "fatol": 1e-5}
        values = minimize(loss, values, method="Nelder-Mead", options=options).x
    return [float(value) for value in values]


def cross_entropy(log_odds: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log-probability of the truth, strangers weighted to `STRANGER_SHARE`."""
    lost, stranger = _lost(log_odds, truth), truth < 0
    return float(STRANGER_SHARE * lost[stranger].mean() + (1.0 - STRANGER_SHARE) * lost[~stranger].mean())


def _lost(log_odds: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Negative log-probability of the truth (n,)."""
    chances = probabilities(log_odds)
    hit = chances[np.arange(len(truth)), np.where(truth < 0, chances.shape[1] - 1, truth)]
    return -np.log(np.maximum(hit, 1e-12))


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, bins: int = BINS) -> float:
    """Mean gap between stated probability and frequency of being right, over equal-width bins (Guo et al. 2017);
    nan of nothing."""
    return reliability(confidence, correct, bins=bins).error
