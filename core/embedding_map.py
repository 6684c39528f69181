"""Embeddings as points on a plane: people as clouds, and where a new voice falls among them.

PCA (Pearson 1901) keeps distances as well as a plane can and takes new points exactly. t-SNE (van der Maaten & Hinton
2008) shows neighbourhoods and nothing else; a new point is put between its nearest neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("pca", "tsne")
NEIGHBOURS = 3  # of a new point on a t-SNE map
PERPLEXITY = 12.0  # of t-SNE at most: about how many neighbours count
MIN_POINTS = 3


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """`points`: (n, 2), those of the embeddings it was made of. `share`: part of the variance that the plane keeps,
    None for t-SNE."""

    kind: str
    points: np.ndarray
    share: float | None
    _centre: np.ndarray
    _axes: np.ndarray  # (D, 2) for PCA
    _embeddings: np.ndarray

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """New embeddings (m, D) -> their points (m, 2)."""
        if self.kind == "pca":
            return (embeddings - self._centre) @ self._axes
        likeness = embeddings @ self._embeddings.T
        nearest = np.argsort(-likeness, axis=1)[:, :NEIGHBOURS]
        near = np.take_along_axis(likeness, nearest, axis=1)
        weights = np.exp((near - near.max(axis=1, keepdims=True)) * 20.0)
        return np.einsum("mk,mkd->md", weights / weights.sum(axis=1, keepdims=True), self.points[nearest])


def embedding_map(embeddings: np.ndarray, *, kind: str = "pca", seed: int = 0) -> EmbeddingMap:
    """`embeddings`: float32 (n, D), n >= `MIN_POINTS`, rows of length 1. `kind`: 'pca' or 'tsne' (a second or two)."""
    if len(embeddings) < MIN_POINTS:
        raise ValueError(f"{len(embeddings)} points are no map: {MIN_POINTS} are needed")
    centre = embeddings.mean(axis=0)
    _, strength, directions = np.linalg.svd(embeddings - centre, full_matrices=False)
    axes = directions[:2].T
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # the same way round every time
    if kind == "pca":
        share = float((strength[:2] ** 2).sum() / max((strength**2).sum(), 1e-12))
        return EmbeddingMap(kind, (embeddings - centre) @ axes, share, centre, axes, embeddings)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3.0)
    points = TSNE(
        2, perplexity=perplexity, metric="cosine", init="pca", random_state=seed, method="exact"
    ).fit_transform(embeddings.astype(np.float64))
    return EmbeddingMap(kind, points, None, centre, axes, embeddings)
