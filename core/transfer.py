"""The original's last step, repeated: five new speakers, six segments each to learn from and six to be tested on.

Every network makes embeddings; on top stands the original's head (standardised, RBF SVM) or the product's (linear SVM
against a cohort). Tested twice: on the next six segments of the same recording, as the original did, and on six of
*other* recordings, which asks for the voice and not for the room. Not imported by the app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.audio import SEGMENT_SECONDS
from core.curves import PrecisionRecall, precision_recall
from core.embedder import Embedder, joined
from core.evaluation import Cell, measure
from core.heads import ANSWERS, Calibration, Heads
from core.protocol import Person, read
from core.segments import prepare, speech_segments

SEGMENTS = 6  # of a speaker, to learn from and to be tested on, as the original had them
TESTS = ("same recording", "other recordings")
HEADS = ("RBF SVM", "linear SVM + cohort")

Embed = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, eq=False)
class Newcomer:
    """A speaker no network has heard: prepared segments float32 (n, 80000) that train, and tests by `TESTS`."""

    name: str
    train: np.ndarray
    tests: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One network under one head on one kind of test: `cell` has accuracy over draws and its interval,
    `retrieval` the precision-recall curve over all (test, person) pairs."""

    network: str
    head: str
    test: str
    cell: Cell
    retrieval: PrecisionRecall


def newcomers(people: Iterable[Person], trouble: list[str], *, segments: int = SEGMENTS) -> Iterator[Newcomer]:
    """Those with twice `segments` in their first recording and as many in others; the rest are named in `trouble`."""
    for person in people:
        first = _segments(person.sessions[:1], 2 * segments, trouble)
        others = _segments(person.sessions[1:], segments, trouble)
        if len(first) < 2 * segments or len(others) < segments:
            trouble.append(
                f"{person.name} is left out: {len(first)} segments in the first recording and {len(others)} in others; "
                f"{2 * segments} and {segments} are needed"
            )
            continue
        tests = dict(zip(TESTS, (np.stack(first[segments:]), np.stack(others)), strict=True))
        yield Newcomer(person.name, np.stack(first[:segments]), tests)


def _segments(sessions, count: int, trouble: list[str]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for session in sessions:
        for _, piece in speech_segments([read(session, trouble)]):
            if (samples := prepare(piece.between(0.0, SEGMENT_SECONDS))) is not None:
                found.append(samples)
            if len(found) == count:
                return found
    return found


def rbf_scores(train: np.ndarray, owner: np.ndarray, tests: np.ndarray) -> np.ndarray:
    """The original's head: one-against-rest scores (tests, people). The scaler is fitted on `train` only."""
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), OneVsRestClassifier(SVC(kernel="rbf"))).fit(train, owner)
    scores = machine.decision_function(tests)
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


def outcomes(
    speakers: Sequence[Newcomer], networks: dict[str, Embed], embedder: Embedder, draws: np.ndarray
) -> Iterator[Outcome]:
    """Every network under the original's head, and the product's heads: 'cnn', 'ann', 'both'. `draws`: see
    `core.evaluation.draw`."""
    for name, embed in networks.items():
        train = np.stack([embed(one.train) for one in speakers])
        for test in TESTS:
            tests = np.concatenate([embed(one.tests[test]) for one in speakers])
            scores = [
                rbf_scores(
                    train[group].reshape(-1, train.shape[-1]), np.repeat(np.arange(len(group)), train.shape[1]), tests
                )
                for group in draws
            ]
            yield _outcome(name, HEADS[0], test, scores, draws, len(speakers))
    enrolled = [embedder.embed(list(one.train)) for one in speakers]
    calibration = Calibration(**embedder.calibration)
    heads = [
        Heads([str(i) for i in group], [enrolled[i] for i in group], embedder.cohort, calibration) for group in draws
    ]
    for test in TESTS:
        tests = joined([embedder.embed(list(one.tests[test])) for one in speakers])
        odds = [one.log_odds(tests) for one in heads]
        for answer in ANSWERS:
            yield _outcome(answer, HEADS[1], test, [one[answer] for one in odds], draws, len(speakers))


def _outcome(network: str, head: str, test: str, scores: list[np.ndarray], draws: np.ndarray, speakers: int) -> Outcome:
    owner = np.repeat(np.arange(speakers), len(scores[0]) // speakers)
    cell = measure(owner, draws, scores, np.zeros((len(owner), speakers)))
    truth, found = [], []
    for group, values in zip(draws, scores, strict=True):
        mine = np.isin(owner, group)
        truth.append(owner[mine, None] == group[None])
        found.append(values[mine])
    return Outcome(network, head, test, cell, precision_recall(np.concatenate(truth), np.concatenate(found)))
