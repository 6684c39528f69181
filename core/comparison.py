"""The experiment over the people enrolled: CNN-SVM, ANN-SVM, both fused, and the mean-cosine baseline, side by side.

Every segment is judged by heads that have not heard it: leave one segment of everybody out, with the windows that
overlap it, or one session of everybody who has two. Each person is also left out whole and comes back as a stranger.
The heads are the product's own (`core.heads`). The baseline knows no SVM: the person whose mean embedding is nearest,
by the cosine averaged over both models; it always names somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from core import curves
from core.audio import SEGMENT_SECONDS
from core.embedder import MODELS, Embeddings, joined
from core.enrolled import Enrolled
from core.heads import ANSWERS, UNKNOWN, Calibration, Decision, Heads, probabilities

METHODS = (*ANSWERS, "cosine")
PROTOCOLS = ("segment", "session")  # what is left out
MIN_PEOPLE = 2
GROUPS = 5  # of people left out whole, one group at a time


@dataclass(frozen=True)
class Held:
    """A segment that was left out: of person `person` (an index), from `start` s of the speech of session `session`,
    which came from `source`."""

    person: int
    session: int
    start: float
    source: str


@dataclass(frozen=True)
class Fold:
    """One fit: `train[i]` are the rows of person i that train, empty where the person is left out whole; `test` are
    (person, row) pairs to judge."""

    train: tuple[tuple[int, ...], ...]
    test: tuple[tuple[int, int], ...]
    strangers: bool = False


@dataclass(frozen=True, eq=False)
class Result:
    """What one method reached. `hits` of `trials` segments went to the right name (Unknown is a miss), `accuracy` with
    its 95 % `interval`; `closed`: the same where the nearest person must be named. `unknown`: answered Unknown.
    `refused`: strangers answered Unknown, a part. `confusion` (people, people + 1): the last column is Unknown. Curves
    are over all pairs of a segment and a person. What a method cannot say (no probability, no Unknown) is None."""

    hits: int
    trials: int
    closed: float
    unknown: int
    confusion: np.ndarray
    retrieval: curves.PrecisionRecall
    trade: curves.Det
    reliability: curves.Reliability | None
    refused: float | None

    @property
    def accuracy(self) -> float:
        """`hits` of `trials`, from 0 to 1; nan of none."""
        return self.hits / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy, 95 % (`core.curves.wilson`, which takes segments for independent)."""
        return curves.wilson(self.hits, self.trials)


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that was judged. `held[t]` is answered by `decisions[t]` ('cnn', 'ann', 'both'); `scores[method]`
    (t, people): log-odds against Unknown, for 'cosine' cosines. `strange[answer]`: answers to people left out whole."""

    protocol: str
    names: tuple[str, ...]
    held: tuple[Held, ...]
    decisions: tuple[dict[str, Decision], ...]
    scores: dict[str, np.ndarray]
    strange: dict[str, tuple[Decision, ...]]

    @property
    def truth(self) -> np.ndarray:
        """Index of who spoke, int (t,)."""
        return np.array([one.person for one in self.held], int)

    def answered(self, method: str) -> np.ndarray:
        """Index of who was named, int (t,); len(names) is Unknown."""
        scores = self.scores[method]
        return scores.argmax(axis=1) if method == "cosine" else probabilities(scores).argmax(axis=1)

    def result(self, method: str) -> Result:
        """The measures of 'cnn', 'ann', 'both' or 'cosine'."""
        truth, answered, scores = self.truth, self.answered(method), self.scores[method]
        people = len(self.names)
        pairs = np.arange(people) == truth[:, None]
        calibrated = method in ANSWERS
        strange = self.strange.get(method, ())
        return Result(
            hits=int((answered == truth).sum()),
            trials=len(truth),
            closed=float((scores.argmax(axis=1) == truth).mean()) if len(truth) else float("nan"),
            unknown=int((answered == people).sum()),
            confusion=curves.confusion(truth, answered, rows=people, columns=people + 1),
            retrieval=curves.precision_recall(pairs, scores),
            trade=curves.det(pairs, scores),
            reliability=curves.reliability(probabilities(scores).max(axis=1), answered == truth)
            if calibrated
            else None,
            refused=float(np.mean([one.name == UNKNOWN for one in strange])) if strange else None,
        )

    def by_person(self, method: str) -> np.ndarray:
        """The share of right names for each person who was tested, float (people tested,), in the order of `names`."""
        truth = self.truth
        right = self.answered(method) == truth
        return np.array([right[truth == person].mean() for person in np.unique(truth)])

    def better(self, first: str, second: str) -> float:
        """p-value of the difference between two methods, person by person (`core.curves.sign_flip`): segments of one
        person go wrong together, so people are what counts."""
        return curves.sign_flip(self.by_person(first) - self.by_person(second))

    def disagreements(self) -> list[int]:
        """The trials on which CNN and ANN name different people, those they are surest of first."""
        apart = [t for t, one in enumerate(self.decisions) if one["cnn"].name != one["ann"].name]
        return sorted(apart, key=lambda t: -min(self.decisions[t][model].probability for model in MODELS))


def comparing(
    people: Sequence[Enrolled],
    cohort: Embeddings,
    calibration: Calibration,
    *,
    protocol: str = "segment",
    heard: Callable[[int, int], Embeddings | None] | None = None,
) -> Generator[float, None, Comparison]:
    """Run the experiment; yields the part done (0 to 1) and returns the `Comparison`.

    People whose voice cannot be split (one segment, one session) are rivals, never tests. `heard(person, row)`: other
    embeddings of the same piece to test with, as through a telephone; None: that piece is not tested.
    """
    names = [person.profile.name for person in people]
    folds = [*segment_folds(people), *stranger_folds(people)]
    if protocol == "session":
        folds = [*session_folds(people), *stranger_folds(people)]
    held: list[Held] = []
    decisions: list[dict[str, Decision]] = []
    scores: dict[str, list[np.ndarray]] = {method: [np.zeros((0, len(people)))] for method in METHODS}
    strange: dict[str, list[Decision]] = {answer: [] for answer in ANSWERS}
    for done, fold in enumerate(folds):
        yield done / len(folds)
        pieces = {(i, row): heard(i, row) if heard else _rows(people[i], [row]) for i, row in fold.test}
        pieces = {place: piece for place, piece in pieces.items() if piece is not None}
        if not pieces:
            continue
        tests = joined(list(pieces.values()))
        there = [index for index, rows in enumerate(fold.train) if rows]
        enrolled = [_rows(people[index], fold.train[index]) for index in there]
        heads = Heads([names[index] for index in there], enrolled, cohort, calibration)
        if fold.strangers:
            for one in heads.decide(tests):
                for answer in ANSWERS:
                    strange[answer].append(one[answer])
            continue
        decisions += heads.decide(tests)
        odds = heads.log_odds(tests)
        for answer in ANSWERS:
            scores[answer].append(odds[answer])
        scores["cosine"].append(mean_cosine(enrolled, tests))
        held += [_held(people[index], index, row) for index, row in pieces]
    together = {method: np.concatenate(parts) for method, parts in scores.items()}
    answers = {answer: tuple(given) for answer, given in strange.items()}
    return Comparison(protocol, tuple(names), tuple(held), tuple(decisions), together, answers)


def compare(
    people: Sequence[Enrolled], cohort: Embeddings, calibration: Calibration, *, protocol: str = "segment"
) -> Comparison:
    """`comparing` in one go."""
    steps = comparing(people, cohort, calibration, protocol=protocol)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def segment_folds(people: Sequence[Enrolled]) -> list[Fold]:
    """Fold k leaves the k-th segment of everybody out, with what overlaps it."""
    segments = [segment_rows(person) for person in people]
    folds = []
    for k in range(max(map(len, segments), default=0)):
        train, test = [], []
        for index, (person, rows) in enumerate(zip(people, segments, strict=True)):
            everything = tuple(range(len(person.kinds)))
            apart = _apart(person, rows[k]) if k < len(rows) else ()
            train.append(apart or everything)
            test += [(index, rows[k])] if apart else []
        folds += [Fold(tuple(train), tuple(test))] if test else []
    return folds


def session_folds(people: Sequence[Enrolled]) -> list[Fold]:
    """Fold k leaves the k-th session out of everybody who has several."""
    sessions = [list(dict.fromkeys(person.sessions.tolist())) for person in people]
    folds = []
    for k in range(max(map(len, sessions), default=0)):
        train, test = [], []
        for index, (person, ids) in enumerate(zip(people, sessions, strict=True)):
            out = ids[k] if len(ids) > 1 and k < len(ids) else None
            train.append(tuple(row for row, session in enumerate(person.sessions) if session != out))
            test += [(index, row) for row in segment_rows(person) if person.sessions[row] == out]
        folds += [Fold(tuple(train), tuple(test))] if test else []
    return folds


def stranger_folds(people: Sequence[Enrolled]) -> list[Fold]:
    """Each fold leaves a group of people out whole; what they said is judged by the heads of the others."""
    everything = [tuple(range(len(person.kinds))) for person in people]
    count = min(GROUPS, len(people))
    folds = []
    for group in range(count):
        out = set(range(group, len(people), count))
        test = [(index, row) for index in sorted(out) for row in segment_rows(people[index])]
        train = tuple(() if index in out else rows for index, rows in enumerate(everything))
        folds += [Fold(train, tuple(test), strangers=True)] if test and any(train) else []
    return folds


def segment_rows(person: Enrolled) -> list[int]:
    """The rows that are whole segments, not overlapping windows."""
    return [row for row, kind in enumerate(person.kinds) if kind == "segment"]


def mean_cosine(enrolled: Sequence[Embeddings], tests: Embeddings) -> np.ndarray:
    """Cosine to each person's mean embedding, averaged over both models: (n, people)."""
    total = np.zeros((len(tests), len(enrolled)))
    for model in MODELS:
        means = np.stack([one.heard_by(model).mean(axis=0) for one in enrolled])
        total += tests.of(model) @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    return total / len(MODELS)


def _apart(person: Enrolled, row: int) -> tuple[int, ...]:
    """The rows that share no sound with `row`."""
    same = person.sessions == person.sessions[row]
    near = np.abs(person.starts - person.starts[row]) < SEGMENT_SECONDS - 1e-6
    return tuple(np.flatnonzero(~(same & near)).tolist())


def _held(person: Enrolled, index: int, row: int) -> Held:
    return Held(index, int(person.sessions[row]), float(person.starts[row]), person.sources[row])


def _rows(person: Enrolled, rows: Sequence[int]) -> Embeddings:
    rows = list(rows)
    return person.embeddings.rows(rows)
