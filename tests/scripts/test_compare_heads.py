"""scripts/compare_heads.py: its measures by hand, and what its intervals are over."""

import numpy as np
import pytest

from core.calibration import Voice
from core.embedder import Embeddings
from core.evaluation import equal_error_rate
from core.held_out import save_voices
from scripts.compare_heads import WITHOUT, HeadTrials, halves, table


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


def test_a_model_that_was_kept_is_not_compensated_again(chance, tmp_path):
    """Its draws are the same with and without; those of a new one are not, and only it has rows without."""

    def rooms(count: int) -> tuple[Embeddings, ...]:
        made = (chance.standard_normal((3, 8)).astype(np.float32) for _ in range(2 * count))
        rows = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in made]
        return tuple(Embeddings(*pair) for pair in zip(rows[::2], rows[1::2], strict=True))

    voices = [Voice(rooms(4), rooms(11), f"a-{index}", *rooms(1)) for index in range(16)]
    save_voices(tmp_path / "voices.npz", voices, rooms(1)[0])
    parts = halves(tmp_path / "voices.npz", count=4, seed=1, kept=["ann"])
    for part in parts:
        for one, plain in zip(part.drawn, part.plain, strict=True):
            np.testing.assert_allclose(one.tests.ann, plain.tests.ann, atol=1e-3)  # 16 bits
            assert np.abs(one.tests.cnn - plain.tests.cnn).max() > 0.01
    without = set(WITHOUT.values())
    assert not without & set(table("ann", parts, 1.0, kept=True))
    assert without < set(table("cnn", parts, 1.0))
