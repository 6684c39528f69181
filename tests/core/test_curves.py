"""Curves and intervals against scikit-learn, against the evaluation's own measures, and worked by hand."""

import numpy as np
import pytest

from core.calibration import expected_calibration_error
from core.curves import confusion, det, precision_recall, reliability, sign_flip, wilson
from core.evaluation import equal_error_rate


@pytest.fixture(params=["smooth", "many ties", "apart"])
def trials(request, chance):
    """Truth and scores: overlapping, overlapping with equal scores, and perfectly apart."""
    truth = chance.random(300) < 0.2
    scores = chance.standard_normal(300) + truth * (9.0 if request.param == "apart" else 1.0)
    return truth, np.round(scores, 1) if request.param == "many ties" else scores


def test_precision_and_recall_are_those_of_scikit_learn(trials):
    from sklearn.metrics import average_precision_score, precision_recall_curve

    truth, scores = trials
    ours = precision_recall(truth, scores)
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert np.allclose(ours.precision[::-1], precision) and np.allclose(ours.recall[::-1], recall)
    assert ours.average == pytest.approx(average_precision_score(truth, scores))


def test_det_is_that_of_scikit_learn(trials):
    from sklearn.metrics import det_curve

    truth, scores = trials
    ours = det(truth, scores)
    accepts, rejects, _ = det_curve(truth, scores)  # leaves out points at the ends, where one of the two stands still
    points = set(zip(ours.accepts.round(9), ours.rejects.round(9), strict=True))
    assert set(zip(accepts.round(9), rejects.round(9), strict=True)) <= points
    assert (ours.accepts[0], ours.rejects[0], ours.accepts[-1], ours.rejects[-1]) == (1.0, 0.0, 0.0, 1.0)
    assert ours.equal == pytest.approx(equal_error_rate(scores[truth], scores[~truth])[0])


def test_four_trials_by_hand():
    """True at 4 and 2, untrue at 3 and 1: precision 1, 1/2, 2/3, 1/2 at recall 1/2, 1/2, 1, 1."""
    truth, scores = np.array([True, False, True, False]), np.array([4.0, 3.0, 2.0, 1.0])
    curve = precision_recall(truth, scores)
    assert np.allclose(curve.precision, [1, 1, 1 / 2, 2 / 3, 1 / 2])
    assert np.allclose(curve.recall, [0, 1 / 2, 1 / 2, 1, 1])
    assert curve.average == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    trade = det(truth, scores)
    assert np.allclose(trade.accepts, [1, 1 / 2, 1 / 2, 0, 0]) and np.allclose(trade.rejects, [0, 0, 1 / 2, 1 / 2, 1])
    assert trade.equal == pytest.approx(1 / 2)


def test_without_a_true_trial_there_is_nothing_to_find():
    assert np.isnan(precision_recall(np.zeros(3, bool), np.arange(3.0)).average)
    assert np.isnan(det(np.zeros(3, bool), np.arange(3.0)).equal) and np.isnan(
        det(np.ones(3, bool), np.arange(3.0)).equal
    )
    assert np.isnan(precision_recall(np.zeros(0, bool), np.zeros(0)).average)


def test_the_calibration_error_is_the_mean_gap_over_all_answers(chance):
    stated = chance.random(400)
    right = chance.random(400) < stated**2
    curve, place = reliability(stated, right), (stated * 10).astype(int)
    gaps = [np.mean(place == b) * abs(stated[place == b].mean() - right[place == b].mean()) for b in range(10)]
    assert curve.error == pytest.approx(sum(gaps)) and curve.error > 0.05
    assert expected_calibration_error(stated, right) == curve.error
    assert curve.counts.sum() == 400 and len(curve.stated) == 10
    assert np.isnan(reliability(np.zeros(0), np.zeros(0)).error)


def test_reliability_by_hand():
    """0.95 and 1.0 share the last bin: one of two right; 0.31 stands alone, wrong."""
    curve = reliability(np.array([0.95, 1.0, 0.31]), np.array([True, False, False]))
    assert np.allclose(curve.stated, [0.31, 0.975]) and np.allclose(curve.found, [0.0, 0.5])
    assert list(curve.counts) == [1, 2]
    assert curve.error == pytest.approx((0.31 + 2 * 0.475) / 3)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(30, 30, 0.8865, 1.0), (0, 30, 0.0, 0.1135), (9, 10, 0.5958, 0.9821), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval_is_that_of_the_tables(hits, trials, low, high):
    """The values that Newcombe's calculator and R's prop.test(correct = FALSE) give."""
    assert wilson(hits, trials) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.5] * 5, 2 / 32),  # five people can never tell at 5 %
        ([0.5] * 6, 2 / 64),
        ([1.0, -1.0], 1.0),
        ([3.0, 1.0, -1.0], 6 / 8),  # sums can be 5, 3, 3, 1 and their opposites; this one is 3
        ([0.0, 0.0], 1.0),
        ([], 1.0),
    ],
)
def test_flipping_signs_by_hand(differences, expected):
    assert sign_flip(np.array(differences)) == pytest.approx(expected)


def test_flipping_signs_is_scipys_permutation_test(chance):
    from scipy.stats import permutation_test

    few, many = chance.normal(0.3, 1.0, 9), chance.normal(0.2, 1.0, 30)
    for differences, close in ((few, 1e-9), (many, 0.02)):
        pairs = (differences, np.zeros_like(differences))
        expected = permutation_test(
            pairs, lambda a, b: np.sum(a - b), permutation_type="samples", n_resamples=20_000, rng=0
        )
        assert sign_flip(differences) == pytest.approx(expected.pvalue, abs=close)


def test_the_interval_of_nothing():
    assert np.isnan(wilson(0, 0)).all()


def test_confusion_is_that_of_scikit_learn(chance):
    from sklearn.metrics import confusion_matrix

    truth, answers = chance.integers(0, 3, 80), chance.integers(0, 4, 80)
    table = confusion(truth, answers, rows=3, columns=4)
    assert np.array_equal(table, confusion_matrix(truth, answers, labels=range(4))[:3])
    assert table.sum() == 80
