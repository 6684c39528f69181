"""core.compensation: what varies within a voice counts less."""

import numpy as np
import pytest

from core.calibration import Voice
from core.compensation import both_views, compensate, compensation, narrowing, within_class_covariance
from core.embedder import MODELS, Embeddings
from core.errors import DatasetError
from core.evaluation import equal_error_rate
from core.held_out import compensated, compensations, crossed, load_voices, save_voices

SIZE = 16


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def heard(chance: np.random.Generator, voices: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (voices * each, SIZE) of voices in rooms that move them in the first two directions only."""
    rows = np.repeat(chance.standard_normal((voices, SIZE)), each, axis=0)
    rows[:, :2] += 4.0 * chance.standard_normal((len(rows), 2))
    return unit(rows), np.repeat(np.arange(voices), each)


def error_rate(rows: np.ndarray, owners: np.ndarray) -> float:
    same = owners[:, None] == owners
    scores, pairs = rows @ rows.T, ~np.eye(len(rows), dtype=bool)
    return equal_error_rate(scores[same & pairs], scores[~same])[0]


def test_both_views_count_the_same():
    """The cosine afterwards is the mean of the embeddings' and of the teacher's, told at length 1 on the average."""
    chance = np.random.default_rng(0)
    kernel = chance.standard_normal((SIZE, 40))
    rows = unit(chance.standard_normal((50, SIZE)))
    told = rows @ kernel * np.sqrt(SIZE / np.trace(kernel @ kernel.T))
    beside = unit(np.hstack([rows, told]))
    seen = compensate(rows, both_views(kernel))
    np.testing.assert_allclose(seen @ seen.T, beside @ beside.T, atol=1e-5)
    assert 0.5 < (told**2).sum(axis=1).mean() < 2.0
    alone = compensate(rows, both_views(kernel, own=0.0))
    np.testing.assert_allclose(alone @ alone.T, unit(told) @ unit(told).T, atol=1e-5)


def test_narrowing_keeps_what_embeddings_have_most_of():
    """Two networks that hear nearly the same need no more room than one."""
    chance = np.random.default_rng(1)
    rows = unit(chance.standard_normal((200, SIZE)))
    beside = np.hstack([rows, rows[:, ::-1] + 0.01 * chance.standard_normal(rows.shape)])
    narrow = beside @ narrowing(beside, SIZE)
    assert narrow.shape == rows.shape
    np.testing.assert_allclose(narrow @ narrow.T, 2.0 * rows @ rows.T, atol=0.1)


def test_within_class_covariance_by_hand():
    rows = np.array([[0.0, 0.0], [2.0, 0.0], [5.0, 1.0], [5.0, 3.0], [9.0, 9.0]])
    # two voices of two embeddings, 1 from their mean each; the voice with one says nothing
    np.testing.assert_allclose(within_class_covariance(rows, np.array([0, 0, 1, 1, 2])), [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(DatasetError, match="once only"):
        within_class_covariance(rows, np.arange(5))


def test_without_shrinkage_voices_vary_equally_everywhere():
    rows, owners = heard(np.random.default_rng(0), 40, 10)
    moved = rows @ compensation(rows, owners, shrinkage=0.0)
    np.testing.assert_allclose(within_class_covariance(moved, owners), np.eye(SIZE), atol=1e-5)
    whole = compensation(rows, owners, shrinkage=1.0)
    np.testing.assert_allclose(compensate(rows, whole), rows, atol=1e-6)


def test_other_voices_in_other_rooms_are_told_apart_better():
    chance = np.random.default_rng(1)
    matrix = compensation(*heard(chance, 40, 10))
    rows, owners = heard(chance, 30, 6)
    assert error_rate(compensate(rows, matrix), owners) < 0.6 * error_rate(rows, owners)
    np.testing.assert_allclose(np.linalg.norm(compensate(rows, matrix), axis=1), 1.0, atol=1e-6)


@pytest.fixture(scope="module")
def voices() -> list[Voice]:
    chance = np.random.default_rng(2)

    def rooms(count: int) -> tuple[Embeddings, ...]:
        return tuple(Embeddings(*(unit(chance.standard_normal((3, SIZE))) for _ in MODELS)) for _ in range(count))

    return [Voice(rooms(4), rooms(11), name, *rooms(1)) for name in ("a-1", "a-1", "b-2", "b-3", "c-4")]


def test_halves_are_compensated_by_each_other(voices):
    """No speaker is in both, at whatever speed; what was learned of one half is applied to the other."""
    cohort = Embeddings(*(unit(np.random.default_rng(3).standard_normal((9, SIZE))) for _ in MODELS))
    (first, near), (second, _) = crossed(voices, cohort)
    assert [voice.name for voice in first] == ["a-1", "a-1", "b-3"] and [v.name for v in second] == ["b-2", "c-4"]
    learned = compensations([voice for voice in voices if voice.name in ("b-2", "c-4")])
    for model in MODELS:
        wanted = compensated(voices[0].test[7], learned).of(model)
        np.testing.assert_allclose(first[0].test[7].of(model), wanted, atol=1e-6)
        np.testing.assert_allclose(near.of(model), compensate(cohort.of(model), learned[model]), atol=1e-6)


def test_voices_are_kept_in_a_file(voices, tmp_path):
    cohort = Embeddings(*(unit(np.random.default_rng(4).standard_normal((9, SIZE))) for _ in MODELS))
    save_voices(tmp_path / "voices.npz", voices, cohort)
    again, near = load_voices(tmp_path / "voices.npz")
    assert [voice.name for voice in again] == [voice.name for voice in voices] and again[2].corpus == "b"
    for model in MODELS:
        np.testing.assert_allclose(near.of(model), cohort.of(model), atol=1e-3)
        np.testing.assert_allclose(again[3].enrol[3].of(model), voices[3].enrol[3].of(model), atol=1e-3)
        np.testing.assert_allclose(again[3].own.of(model), voices[3].own.of(model), atol=1e-3)
    np.savez(tmp_path / "cohort.npz", cnn=cohort.cnn, ann=cohort.ann)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "voices.npz").read_bytes()[:5000])
    for name in ("nosuch.npz", "cohort.npz", "cut.npz"):
        with pytest.raises(DatasetError, match=f"{name} holds no held-out voices .*: make it with export_model.py"):
            load_voices(tmp_path / name)


def test_what_is_kept_is_not_compensated_again(voices):
    cohort = voices[0].own
    (mine, near), _ = crossed(voices, cohort, {"ann"})
    np.testing.assert_allclose(near.ann, cohort.ann, atol=1e-6)
    assert not np.allclose(near.cnn, cohort.cnn, atol=1e-3)
    assert set(compensations(voices, {"ann"})) == {"cnn", "ann"}
