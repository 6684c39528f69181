"""scripts/compare_heads.py: its measures by hand, and what its intervals are over."""

import numpy as np
import pytest

from core.evaluation import equal_error_rate
from scripts.compare_heads import HeadTrials


def test_measures_by_hand():
    """Two people enrolled, three tests of theirs, two of a stranger."""
    speakers = np.array(["a", "a", "b", "s", "s"])
    own = np.array([3.0, 1.0, 2.0, np.nan, np.nan])
    others = np.array([[np.nan, 0.0], [np.nan, 2.0], [0.5, np.nan], [0.0, 1.5], [-1.0, 0.0]])
    trials = HeadTrials(speakers, own, others)
    accuracy, verification, open_set = trials.measures(np.arange(5))
    assert accuracy == pytest.approx(2 / 3)
    assert verification == equal_error_rate(own[:3], np.array([0.0, 2.0, 0.5, 0.0, 1.5, -1.0, 0.0]))[0]
    assert open_set == equal_error_rate(np.array([3.0, 2.0, 2.0]), np.array([1.5, 0.0]))[0]


def test_more_draws_of_the_same_speakers_do_not_narrow_the_interval(chance):
    rates = chance.uniform(0.5, 1.0, 20)

    def width(draws: int) -> float:
        speakers = np.tile(np.arange(20), draws)
        right = chance.random(len(speakers)) < rates[speakers]
        stranger = chance.random(len(speakers)) < 0.3
        own = np.where(stranger, np.nan, np.where(right, 1.0, -1.0))
        trials = HeadTrials(speakers.astype(str), own, np.zeros((len(speakers), 2)))
        (_, low, high), *_ = trials.summary()
        return high - low

    assert width(200) == pytest.approx(width(50), rel=0.4)
