"""Maps of embeddings: distances, neighbours, new points."""

import numpy as np
import pytest

from core.embedding_map import KINDS, embedding_map


@pytest.fixture
def clouds(chance):
    """Three groups of eight unit vectors in 20 dimensions, and who belongs where."""
    centres = np.linalg.qr(chance.standard_normal((20, 20)))[0][:3]
    points = np.repeat(centres, 8, axis=0) + chance.standard_normal((24, 20)) * 0.05
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), np.repeat(np.arange(3), 8)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_stay_groups_and_a_new_member_falls_among_its_own(clouds, kind, chance):
    embeddings, owner = clouds
    made = embedding_map(embeddings, kind=kind)
    assert made.points.shape == (24, 2) and np.isfinite(made.points).all()
    centres = np.stack([made.points[owner == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(made.points[:, None] - centres[None], axis=2).argmin(axis=1)
    assert np.array_equal(nearest, owner)
    newcomers = embeddings[[0, 8, 16]] + chance.standard_normal((3, 20)) * 0.02
    placed = made.place((newcomers / np.linalg.norm(newcomers, axis=1, keepdims=True)).astype(np.float32))
    assert list(np.linalg.norm(placed[:, None] - centres[None], axis=2).argmin(axis=1)) == [0, 1, 2]


def test_pca_is_that_of_scikit_learn(clouds):
    from sklearn.decomposition import PCA

    embeddings, _ = clouds
    made, theirs = embedding_map(embeddings), PCA(2).fit(embeddings)
    assert np.allclose(np.abs(made.points), np.abs(theirs.transform(embeddings)), atol=1e-5)
    assert made.share == pytest.approx(theirs.explained_variance_ratio_.sum(), abs=1e-5)
    assert np.allclose(made.place(embeddings), made.points, atol=1e-5)


def test_the_map_is_the_same_every_time(clouds):
    for kind in KINDS:
        assert np.array_equal(embedding_map(clouds[0], kind=kind).points, embedding_map(clouds[0], kind=kind).points)


def test_two_points_are_no_map():
    with pytest.raises(ValueError, match="3 are needed"):
        embedding_map(np.eye(2, dtype=np.float32))
