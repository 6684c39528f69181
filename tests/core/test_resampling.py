"""core.resampling: how far a figure would move with other speakers."""

import numpy as np
import pytest

from core.evaluation import equal_error_rate, measure_cosine
from core.resampling import TIMES, drawn_again, interval, resampled_eer, resampled_share

ONCE = np.ones((1, 6), int)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of 600 pairs, which of them are of one person, and who of six that is about."""
    chance = np.random.default_rng(2)
    same = chance.random(600) < 0.5
    return chance.normal(same * 1.5, 1.0), same, chance.integers(0, 6, 600)


def test_as_many_speakers_are_drawn_as_there_are_and_the_same_for_everybody():
    times = drawn_again(7)
    assert times.shape == (TIMES, 7) and set(times.sum(axis=1)) == {7}
    np.testing.assert_array_equal(times, drawn_again(7))
    assert (times.mean(axis=0) > 0.85).all() and (times.mean(axis=0) < 1.15).all()


def test_everybody_drawn_once_gives_the_figure_itself(scored):
    scores, same, speaker = scored
    (rate,) = resampled_eer(scores, same, [speaker], ONCE)
    assert rate == pytest.approx(equal_error_rate(scores[same], scores[~same])[0], abs=2 / 300)
    assert resampled_share(np.arange(6), np.full(6, 10), ONCE) == pytest.approx([15 / 60])


def test_who_is_drawn_twice_counts_twice(scored):
    scores, same, speaker = scored
    times = np.array([[2, 1, 0, 1, 1, 1]])
    again = np.concatenate([np.flatnonzero(speaker != 2), np.flatnonzero(speaker == 0)])
    plain = resampled_eer(scores[again], same[again], [speaker[again]], ONCE)
    np.testing.assert_allclose(resampled_eer(scores, same, [speaker], times), plain)


def test_a_pair_of_two_counts_as_often_as_they_are_drawn_together():
    scores, same = np.array([3.0, 2.0, 1.0, 0.5]), np.array([True, False, True, False])
    about = [np.array([0, 0, 1, 0]), np.array([0, 2, 1, 1])]
    assert resampled_eer(scores, same, about, np.array([[1, 1, 0]]))[0] == 0.0  # the false one at 2.0 is gone
    assert resampled_eer(scores, same, about, np.array([[1, 1, 1]]))[0] == 0.5
    assert np.isnan(resampled_eer(scores, same, about, np.array([[0, 0, 3]]))[0])  # nobody's own test
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()


def test_one_speaker_of_twelve_who_is_never_recognised_makes_a_wide_interval():
    """Two models fail with the same one: each may be anywhere, but neither is better."""
    owner = np.repeat(np.arange(12), 10)
    tests = np.eye(12)[owner]
    tests[owner == 3] = np.eye(12)[4] - 0.1 * np.eye(12)[3]
    draws = np.array([np.sort(np.random.default_rng(seed).choice(12, 5, replace=False)) for seed in range(40)])
    one = measure_cosine(np.eye(12), tests, owner, draws, detailed=True)
    two = measure_cosine(np.eye(12), 0.5 * tests, owner, draws, detailed=True).detail
    low, high = interval(one.detail.accuracy)
    assert low < 0.85 and high == 1.0
    assert interval(one.detail.eer)[1] > 0.05 and interval(one.detail.open_set_eer)[1] > 0.05
    assert interval(one.detail.accuracy - two.accuracy) == (0.0, 0.0) == interval(one.detail.eer - two.eer)
    asked, right = one.detail.asked, one.detail.right
    assert right[3] == 0 < asked[3] and (np.delete(right, 3) == np.delete(asked, 3)).all()
    assert one.detail.refused.sum() == 0
