"""How near a voice is to a person, against how near the cohort comes."""

import numpy as np
import pytest

from core.nearness import NEAREST, crowd, measure_nearness


def unit(values) -> np.ndarray:
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def test_by_hand():
    """One person at 0 degrees, one voice of the cohort at 90, a test at 60: cos 60 - (cos 30 + cos 90) / 2."""
    near = measure_nearness([unit([[1.0, 0.1], [1.0, -0.1]])], unit([[0.0, 1.0]]))
    test = unit([[np.cos(np.pi / 3), np.sin(np.pi / 3)]])
    assert near.lead(test) == pytest.approx(0.5 - (np.cos(np.pi / 6) + 0.0) / 2, abs=1e-6)


def test_only_the_nearest_of_the_cohort_count():
    chance = np.random.default_rng(0)
    cohort, tests = unit(chance.standard_normal((3 * NEAREST, 16))), unit(chance.standard_normal((7, 16)))
    wanted = np.sort(tests @ cohort.T, axis=1)[:, -NEAREST:].mean(axis=1)
    np.testing.assert_allclose(crowd(tests, cohort), wanted, rtol=1e-5)


def test_what_all_voices_share_does_not_lead():
    """A room adds the same direction to everybody: cosines rise, the lead of a stranger over the cohort does not."""
    chance = np.random.default_rng(1)
    room = unit(chance.standard_normal(64))

    def heard(count: int) -> np.ndarray:
        return unit(unit(chance.standard_normal((count, 64))) + 2.0 * room)

    person, stranger = heard(6), heard(40)
    near = measure_nearness([person], heard(300))
    assert (stranger @ near.means.T).mean() > 0.7 and abs(near.lead(stranger).mean()) < 0.15


def test_nobody_enrolled():
    near = measure_nearness([], unit(np.eye(4)))
    assert near.lead(unit(np.ones((3, 4)))).shape == (3, 0)
