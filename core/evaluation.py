"""Measures of speaker recognition, each from plain arrays of scores. Not imported by the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from core.calibration import expected_calibration_error
from core.curves import det_between
from core.embedder import Embeddings
from core.heads import ANSWERS, Calibration, Heads, probabilities
from core.resampling import Detail, drawn_again, interval, resampled_eer, resampled_share

RESAMPLES = 2000  # of the bootstrap


@dataclass(frozen=True)
class Cell:
    """What one model reached through one channel; fractions from 0 to 1, nan where there was nothing to measure.

    `accuracy`: tests of the people drawn that went to the right one of them, mean over draws; `worst`: lowest draw.
    `ci95`: percentile bootstrap of the accuracy over *speakers* (draws share speakers, so resampling draws would
    promise too much; see `_interval` for where nobody erred). `eer`: every test against every speaker's model, one
    threshold. `open_set_eer`: the best score among the people drawn, their own tests against everybody else's, one
    threshold over all draws. `speakers`, `tests`: those that count as people's own. `same_recording`: tests from the
    recording that enrolled their speaker, who has no other; they count as strangers' only. With calibrated scores also,
    as shipped: `unknown_false_accept`, strangers' tests given a name; `unknown_false_reject`, tests of people drawn
    answered Unknown, and `refused_right`, the share of those whose likeliest person is the right one; `ece`, the
    expected calibration error of the answer over all tests of all draws. `detail`: speaker by speaker, where asked for.
    """

    accuracy: float
    worst: float
    ci95: tuple[float, float]
    eer: float
    open_set_eer: float
    speakers: int
    tests: int
    same_recording: int = 0
    unknown_false_accept: float | None = None
    unknown_false_reject: float | None = None
    refused_right: float | None = None
    ece: float | None = None
    detail: Detail | None = None


def equal_error_rate(same: np.ndarray, different: np.ndarray) -> tuple[float, float]:
    """Where false accepts and false rejects are equally frequent: (rate from 0 to 1, threshold).

    `same`, `different`: scores of pairs of one person and of two, higher = more alike, any shape. See
    `core.curves.Det`.
    """
    curve = det_between(same, different)
    return curve.equal, curve.threshold


def miss_rate(same: np.ndarray, different: np.ndarray, *, accepted: float = 0.01) -> float:
    """Share of `same` that is missed where no more than the share `accepted` of `different` passes (from 0 to 1).

    Scores as for `equal_error_rate`. Two networks of one equal error rate differ here, and here an app works that
    would rather say Unknown than a wrong name.
    """
    same, different = np.ravel(same), np.sort(np.ravel(different))
    if not len(same) or not len(different):
        return float("nan")
    return float(np.mean(same <= different[len(different) - 1 - int(accepted * len(different))]))


def draw(speakers: int, *, people: int = 5, count: int = 200, seed: int = 0) -> np.ndarray:
    """Sets of `people` out of `speakers`: int (count, people), indices in rising order.

    With no more than `count` different sets, each of them once; with fewer speakers than `people`, all in one.
    """
    people = min(people, speakers)
    if comb(speakers, people) <= count:
        return np.array(list(combinations(range(speakers), people)), dtype=np.int64)
    chance = np.random.default_rng(seed)
    return np.array([np.sort(chance.choice(speakers, people, replace=False)) for _ in range(count)], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class FittedHeads:
    """The product's heads: of every draw, and of every speaker alone against the cohort (verification).

    They depend on enrolments only: fitted once, they score every channel by matrix products.
    """

    draws: np.ndarray
    of_draws: tuple[Heads, ...]
    alone: tuple[Heads, ...]

    @staticmethod
    def fit(
        people: Sequence[Embeddings],
        draws: np.ndarray,
        cohort: Embeddings,
        calibration: Calibration,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> FittedHeads:
        """`people[i]`: enrolment embeddings of speaker i, segments and windows. `draws`: see `draw`."""
        made: list[Heads] = []
        for group in [*draws, *([index] for index in range(len(people)))]:
            names = [str(index) for index in group]
            made.append(Heads(names, [people[index] for index in group], cohort, calibration))
            progress(len(made), len(draws) + len(people))
        return FittedHeads(draws, tuple(made[: len(draws)]), tuple(made[len(draws) :]))

    def measure(
        self,
        tests: Embeddings,
        owner: np.ndarray,
        same_recording: np.ndarray | None = None,
        *,
        detailed: bool = False,
    ) -> dict[str, Cell]:
        """Cells by answer ('cnn', 'ann', 'both'). `owner`: int (tests,), the speaker of each test. `same_recording`:
        bool (tests,), and `detailed`: see `measure`."""
        drawn = [heads.log_odds(tests) for heads in self.of_draws]
        alone = [heads.log_odds(tests) for heads in self.alone]
        return {
            answer: measure(
                owner,
                self.draws,
                [one[answer] for one in drawn],
                np.concatenate([one[answer] for one in alone], axis=1),
                calibrated=True,
                same_recording=same_recording,
                detailed=detailed,
            )
            for answer in ANSWERS
        }


def measure_cosine(
    means: np.ndarray,
    tests: np.ndarray,
    owner: np.ndarray,
    draws: np.ndarray,
    same_recording: np.ndarray | None = None,
    *,
    detailed: bool = False,
) -> Cell:
    """The cell of plain cosine similarity to the mean enrolment embedding: `means` (speakers, D), `tests` (n, D)."""
    scores = tests @ means.T
    drawn = [scores[:, group] for group in draws]
    return measure(owner, draws, drawn, scores, same_recording=same_recording, detailed=detailed)


def mean_embedding(embeddings: np.ndarray) -> np.ndarray:
    """(n, D) -> (D,), of length 1."""
    mean = embeddings.mean(axis=0)
    return mean / np.linalg.norm(mean)


def rivals_only(same_recording: Sequence[bool] | np.ndarray) -> np.ndarray:
    """Who, or which tests, to leave out of the tests of being recognised: those of one recording, unless there is
    nothing else. bool, as long as `same_recording`."""
    same = np.array(same_recording, bool)
    return same & (not same.all())


def measure(
    owner: np.ndarray,
    draws: np.ndarray,
    drawn: Sequence[np.ndarray],
    alone: np.ndarray,
    *,
    calibrated: bool = False,
    same_recording: np.ndarray | None = None,
    detailed: bool = False,
) -> Cell:
    """All measures of one model through one channel.

    `owner`: int (tests,), speaker of each test. `drawn[d]`: scores (tests, people) against the people `draws[d]`.
    `alone`: scores (tests, speakers) against each speaker's own model. `calibrated`: scores are log-odds against
    Unknown. `same_recording`: bool (tests,), tests from the recording that enrolled their speaker: they are no test of
    recognising that speaker, but of refusing a stranger where the speaker is not enrolled. `detailed`: with a
    `core.resampling.Detail`, which takes a second.
    """
    speakers = alone.shape[1]
    same = np.zeros(len(owner), bool) if same_recording is None else same_recording
    hits, trials, unknown = np.zeros(speakers), np.zeros(speakers), np.zeros(speakers)
    accuracies, targets, strangers, target_of, stranger_of = [], [], [], [], []
    rejected, regretted, accepted, confidence, correct = [], [], [], [], []
    for group, scores in zip(draws, drawn, strict=True):
        truth = np.full(speakers, -1)
        truth[group] = np.arange(len(group))
        truth = truth[owner]
        mine, others = (truth >= 0) & ~same, truth < 0
        right = scores[mine].argmax(axis=1) == truth[mine]
        hits += np.bincount(owner[mine], weights=right, minlength=speakers)
        trials += np.bincount(owner[mine], minlength=speakers)
        if mine.any():
            accuracies.append(right.mean())
        best = scores.max(axis=1)
        targets.append(best[mine])
        strangers.append(best[others])
        target_of.append(owner[mine])
        stranger_of.append(owner[others])
        if calibrated:
            chances = probabilities(scores)
            answer = chances.argmax(axis=1)
            rejected.append(answer[mine] == len(group))
            regretted.append(right[rejected[-1]])
            unknown += np.bincount(owner[mine], weights=rejected[-1], minlength=speakers)
            accepted.append(answer[others] < len(group))
            confidence.append(chances.max(axis=1)[mine | others])
            correct.append((answer == np.where(mine, truth, len(group)))[mine | others])
    own = np.arange(speakers) == owner[:, None]
    detail = None
    if detailed:
        times, pairs = drawn_again(speakers), ~own | ~same[:, None]
        tested, against = np.nonzero(pairs)
        people = np.concatenate([*target_of, *stranger_of])
        named = np.arange(len(people)) < sum(map(len, targets))
        detail = Detail(
            *(values.astype(int) for values in (trials, hits, unknown)),
            resampled_share(hits, trials, times),
            resampled_eer(alone[pairs], own[pairs], [owner[tested], against], times),
            resampled_eer(np.concatenate([*targets, *strangers]), named, [people], times),
        )
    return Cell(
        accuracy=_mean(accuracies),
        worst=float(min(accuracies, default=np.nan)),
        ci95=_interval(hits, trials),
        eer=equal_error_rate(alone[own & ~same[:, None]], alone[~own])[0],
        open_set_eer=equal_error_rate(np.concatenate(targets), np.concatenate(strangers))[0],
        speakers=len(np.unique(owner[~same])),
        tests=int(np.count_nonzero(~same)),
        same_recording=int(np.count_nonzero(same)),
        unknown_false_accept=_mean(np.concatenate(accepted)) if calibrated else None,
        unknown_false_reject=_mean(np.concatenate(rejected)) if calibrated else None,
        refused_right=_mean(np.concatenate(regretted)) if calibrated else None,
        ece=expected_calibration_error(np.concatenate(confidence), np.concatenate(correct)) if calibrated else None,
        detail=detail,
    )


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _interval(hits: np.ndarray, trials: np.ndarray) -> tuple[float, float]:
    """95 % interval of sum(hits) / sum(trials) when speakers are drawn again with replacement; nan for fewer than two.

    Where all were always right (or wrong) drawing again shows no error either. Then the share of *speakers* of whom
    that is true is what is estimated, by Clopper & Pearson (1934): at least 71 % where 11 of 11 speakers were.
    """
    tested = np.flatnonzero(trials)
    if len(tested) < 2:
        return float("nan"), float("nan")
    share = hits[tested].sum() / trials[tested].sum()
    if share in (0.0, 1.0):
        reach = 1.0 - 0.025 ** (1.0 / len(tested))
        return (1.0 - reach, 1.0) if share else (0.0, reach)
    chosen = np.random.default_rng(0).choice(tested, (RESAMPLES, len(tested)))
    return interval(hits[chosen].sum(axis=1) / trials[chosen].sum(axis=1))
