"""Measures against cases worked by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.embedder import Embedder, Embeddings
from core.evaluation import FittedHeads, draw, equal_error_rate, mean_embedding, measure, measure_cosine, miss_rate
from core.heads import Calibration, Heads


def test_misses_are_counted_where_few_strangers_pass():
    strangers = np.arange(100) / 100  # the highest is 0.99, the next 0.98
    assert miss_rate(np.array([0.5, 0.985, 0.99, 2.0]), strangers, accepted=0.01) == pytest.approx(0.25)
    assert miss_rate(np.array([0.5, 0.985, 0.99, 2.0]), strangers, accepted=0.0) == pytest.approx(0.75)
    assert miss_rate(np.array([0.98, 0.98]), strangers) == 1.0  # a tie is a miss: one more stranger would pass
    assert np.isnan(miss_rate(np.array([]), strangers)) and np.isnan(miss_rate(strangers, np.array([])))


def test_eer_of_separated_scores_is_zero_and_its_threshold_separates():
    rate, threshold = equal_error_rate(np.array([0.8, 0.9, 0.7]), np.array([0.1, 0.2, 0.3]))
    assert rate == 0.0
    assert 0.3 < threshold <= 0.7


def test_eer_of_swapped_scores_is_one():
    assert equal_error_rate(np.array([0.1, 0.2]), np.array([0.8, 0.9]))[0] == 1.0


def test_eer_worked_by_hand():
    # Accept from 0.5: of 4 targets 0.4 is rejected (1/4), of 4 others 0.6 is accepted (1/4).
    assert equal_error_rate(np.array([0.4, 0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3, 0.6]))[0] == pytest.approx(0.25)
    # Accept from 0.55: 1/2 of the targets rejected, 2/3 of the others accepted; from 0.6: 1/2 and 1/3.
    assert equal_error_rate(np.array([0.5, 0.7]), np.array([0.1, 0.55, 0.6]))[0] == pytest.approx(0.5)
    # Ties: accept from 0.6: 0 and 3/4; from 0.9: 1/2 and 1/4. Between them t/2 = 3/4 - t/2 at t = 3/4: 3/8.
    assert equal_error_rate(np.array([0.6, 0.9]), np.array([0.1, 0.6, 0.6, 0.95]))[0] == pytest.approx(3 / 8)


def test_eer_of_equal_scores_is_half():
    assert equal_error_rate(np.full(5, 0.3), np.full(9, 0.3))[0] == pytest.approx(0.5)


def test_eer_of_nothing_is_not_a_number():
    assert np.isnan(equal_error_rate(np.array([]), np.array([1.0]))[0])
    assert np.isnan(equal_error_rate(np.array([1.0]), np.array([]))[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("overlap", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("decimals", [1, 12])
def test_eer_agrees_with_the_roc_curve_of_scikit_learn(seed, overlap, decimals):
    from sklearn.metrics import roc_curve

    chance = np.random.default_rng(seed)
    same = np.round(chance.normal(1.0, overlap, chance.integers(3, 400)), decimals)
    different = np.round(chance.normal(0.0, overlap, chance.integers(3, 400)), decimals)
    truth = np.concatenate([np.ones(len(same)), np.zeros(len(different))])
    accept, hit, _ = roc_curve(truth, np.concatenate([same, different]), drop_intermediate=False)
    # Where the polygon of (false accepts, false rejects) crosses the diagonal.
    gap = (1.0 - hit) - accept
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    expected = accept[after - 1] + share * (accept[after] - accept[after - 1])
    assert equal_error_rate(same, different)[0] == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=30),
    st.lists(st.integers(-20, 20), min_size=1, max_size=30),
    st.floats(0.1, 10.0),
    st.floats(-5.0, 5.0),
)
def test_eer_knows_order_only_and_mirrors(same, different, scale, shift):
    same, different = np.array(same, float), np.array(different, float)
    rate = equal_error_rate(same, different)[0]
    assert 0.0 <= rate <= 1.0
    assert equal_error_rate(same * scale + shift, different * scale + shift)[0] == pytest.approx(rate)
    assert equal_error_rate(-different, -same)[0] == pytest.approx(rate)


# --- draws and cells


def test_draws_are_distinct_people_and_repeatable():
    made = draw(20, people=5, count=50, seed=3)
    assert made.shape == (50, 5)
    assert all(len(set(group)) == 5 for group in made)
    assert np.array_equal(made, draw(20, people=5, count=50, seed=3))
    assert not np.array_equal(made, draw(20, people=5, count=50, seed=4))


def test_few_speakers_give_every_set_once():
    assert sorted(map(tuple, draw(4, people=3, count=200))) == [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    assert draw(3, people=5, count=200).tolist() == [[0, 1, 2]]


def test_a_cell_worked_by_hand():
    # Three speakers, two tests each; speaker 2's second test looks like speaker 0.
    scores = np.array([[3, 0, 0], [3, 0, 0], [0, 3, 0], [0, 3, 0], [0, 0, 3], [2, 0, 1]], float)
    owner = np.array([0, 0, 1, 1, 2, 2])
    groups = draw(3, people=2, count=10)
    cell = measure(owner, groups, [scores[:, group] for group in groups], scores)
    # sets (0,1): 4 of 4; (0,2): 3 of 4; (1,2): 4 of 4, for there speaker 0 is not to choose
    assert cell.accuracy == pytest.approx((1.0 + 0.75 + 1.0) / 3)
    assert cell.worst == 0.75
    assert (cell.speakers, cell.tests) == (3, 6)
    assert cell.ci95[0] <= 11 / 12 <= cell.ci95[1]
    # own scores 3,3,3,3,3,1 against one 2 and eleven 0: rejecting 1/6 or accepting 1/12, crossing on the way
    assert cell.eer == pytest.approx(equal_error_rate(np.array([3, 3, 3, 3, 3, 1]), np.array([2] + [0] * 11))[0])
    assert 0 < cell.eer < 1 / 6
    # set (0,1) has strangers at 0 and 2; (0,2) at 0, 0; (1,2) at 0, 0; targets 3 but for 2 and 1
    expected = equal_error_rate(np.array([3] * 4 + [3, 3, 3, 2] + [3, 3, 3, 1]), np.array([0, 2, 0, 0, 0, 0]))[0]
    assert cell.open_set_eer == pytest.approx(expected)
    assert cell.ece is None and cell.unknown_false_accept is None


def test_tests_of_the_enrolling_recording_are_strangers_only():
    """Speaker 2 has one recording: perfect within it, and no evidence. Not enrolled, that speaker is a stranger."""
    scores = np.array([[3, 0, 0], [0, 2, 1], [0, 3, 0], [1, 0, 9], [4, 0, 9]], float)
    owner, same = np.array([0, 0, 1, 2, 2]), np.array([False, False, False, True, True])
    groups = draw(3, people=2, count=10)
    cell = measure(owner, groups, [scores[:, group] for group in groups], scores, same_recording=same)
    assert (cell.speakers, cell.tests, cell.same_recording) == (2, 3, 2)
    # (0,1): 2 of 3; (0,2): 1 of 2, for 0's second test goes to 2; (1,2): 1 of 1
    assert cell.accuracy == pytest.approx((2 / 3 + 1 / 2 + 1) / 3) and cell.worst == 0.5
    own, others = np.array([3, 0, 3]), np.array([0, 0, 2, 1, 0, 0, 1, 0, 4, 0])
    assert cell.eer == pytest.approx(equal_error_rate(own, others)[0])
    # strangers: in (0,1) both of 2's; in (0,2) 1's; in (1,2) 0's two
    targets, strangers = np.array([3, 2, 3, 3, 1, 3]), np.array([1, 4, 0, 0, 2])
    assert cell.open_set_eer == pytest.approx(equal_error_rate(targets, strangers)[0])


def test_the_same_where_scores_are_calibrated():
    log_odds = np.array([[9.0, -9], [-9, 9], [-9, -9]])
    same = np.array([False, True, False])
    cell = measure(
        np.array([0, 1, 2]), np.array([[0, 1]]), [log_odds], np.zeros((3, 3)), calibrated=True, same_recording=same
    )
    assert (cell.unknown_false_reject, cell.unknown_false_accept) == (0.0, 0.0)
    assert cell.ece == pytest.approx(0.0, abs=1e-3)  # of two tests, not of three


def test_calibrated_scores_count_wrong_names_and_wrong_unknowns():
    # One set of people 0 and 1; speaker 2 is a stranger with three tests, one of which is named.
    log_odds = np.array([[9.0, -9], [-9, -9], [-9, 9], [-9, 9], [-9, -9], [-9, -9], [9, -9]])
    owner = np.array([0, 0, 1, 1, 2, 2, 2])
    cell = measure(owner, np.array([[0, 1]]), [log_odds], np.zeros((7, 3)), calibrated=True)
    assert cell.unknown_false_reject == pytest.approx(1 / 4)
    assert cell.refused_right == 1.0  # the first of equals is the right one
    assert cell.unknown_false_accept == pytest.approx(1 / 3)
    # every answer claims about 1, five of seven are right
    assert cell.ece == pytest.approx(2 / 7, abs=1e-3)


def test_nobody_left_over_leaves_the_open_set_unmeasured():
    scores = np.eye(2)
    cell = measure(np.array([0, 1]), draw(2), [scores], scores)
    assert cell.accuracy == 1.0 and np.isnan(cell.open_set_eer)


def test_no_tests_at_all_is_no_number():
    cell = measure(np.zeros(0, int), draw(2), [np.zeros((0, 2))], np.zeros((0, 2)), calibrated=True)
    assert np.isnan([cell.accuracy, cell.worst, *cell.ci95, cell.eer, cell.ece]).all() and cell.tests == 0


@pytest.mark.parametrize(("speakers", "low"), [(2, 0.158), (11, 0.715)])
def test_nobody_erring_is_no_proof_that_nobody_will(speakers, low):
    """2.5 % is the chance that all of n speakers are right where the share `low` of all is."""
    owner = np.repeat(np.arange(speakers), 4)
    cell = measure_cosine(np.eye(speakers), np.eye(speakers)[owner], owner, draw(speakers, count=5))
    assert cell.accuracy == 1.0 and cell.ci95 == pytest.approx((low, 1.0), abs=1e-3)
    assert low**speakers == pytest.approx(0.025, rel=0.02)


def test_one_speaker_has_no_interval():
    cell = measure_cosine(np.eye(2), np.eye(2)[[0, 0]], np.array([0, 0]), draw(2))
    assert cell.accuracy == 1.0 and np.isnan(cell.ci95).all()


def test_the_interval_is_wider_with_fewer_speakers(chance):
    def width(speakers):
        owner = np.repeat(np.arange(speakers), 10)
        scores = chance.normal(0, 1, (len(owner), speakers)) + 1.5 * (owner[:, None] == np.arange(speakers))
        low, high = measure_cosine(np.eye(speakers), scores, owner, draw(speakers, count=40)).ci95
        return high - low

    assert width(6) > 1.3 * width(60)


def test_fitted_heads_are_the_products_heads(chance):
    """Scores of a draw equal those of a `Heads` fitted on these people, and naming is by the same rule."""
    embedder = Embedder()
    size = embedder.cohort.cnn.shape[1]

    def around(centre, count):
        rows = centre + 0.3 * chance.standard_normal((count, size)) / np.sqrt(size)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    centres = [row / np.linalg.norm(row) for row in chance.standard_normal((4, size))]
    people = [Embeddings(around(centre, 11), around(centre, 11)) for centre in centres]
    tests = Embeddings(*(np.concatenate([around(centre, 3) for centre in centres]) for _ in range(2)))
    calibration = Calibration(**embedder.calibration)
    fitted = FittedHeads.fit(people, draw(4, people=2), embedder.cohort, calibration)
    cells = fitted.measure(tests, np.repeat(np.arange(4), 3))
    assert set(cells) == {"cnn", "ann", "both"}
    assert cells["both"].accuracy == 1.0 and cells["both"].eer == 0.0

    group = fitted.draws[2]
    heads = Heads([str(i) for i in group], [people[i] for i in group], embedder.cohort, calibration)
    for answer, values in heads.log_odds(tests).items():
        assert np.array_equal(values, fitted.of_draws[2].log_odds(tests)[answer])
    strangers = [
        decision["both"].is_person
        for heads, group in zip(fitted.of_draws, fitted.draws, strict=True)
        for row, decision in enumerate(heads.decide(tests))
        if row // 3 not in group
    ]
    assert cells["both"].unknown_false_accept == pytest.approx(np.mean(strangers))


def test_mean_embedding_has_length_one(chance):
    assert np.linalg.norm(mean_embedding(chance.standard_normal((6, 192)))) == pytest.approx(1.0)
