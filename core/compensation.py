"""Which directions of an embedding count how much, decided after training: channels and the teacher's view.

Channel compensation: directions in which one voice differs from itself, from room to room, count less.

Within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006, "Within-class covariance normalization for
SVM-based speaker recognition"), measured on voices that no network was trained on: for those of the training set the
networks have learned to hide just these differences. It is one matrix and is folded into the last layer
(`core.exchange.fold`), so it costs nothing where decisions are made. Not imported by the app.
"""

from __future__ import annotations

import numpy as np

from core.errors import DatasetError

SHRINKAGE = 0.5  # share of the identity; 0.3 to 0.7 did equally well on voices left out


def within_class_covariance(embeddings: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Covariance of embeddings (N, D) around the mean of their voice, `owners` (N,): (D, D).

    Raises `DatasetError` when no voice has two embeddings.
    """
    scatter, freedom = np.zeros((embeddings.shape[1],) * 2), 0
    for owner in np.unique(owners):
        rows = embeddings[owners == owner].astype(np.float64)
        rows = rows - rows.mean(axis=0)
        scatter += rows.T @ rows
        freedom += len(rows) - 1
    if not freedom:
        raise DatasetError("each voice was embedded once only: how it varies needs several embeddings of a voice")
    return scatter / freedom


def compensation(embeddings: np.ndarray, owners: np.ndarray, *, shrinkage: float = SHRINKAGE) -> np.ndarray:
    """The symmetric matrix (D, D) that makes voices vary equally in all directions, when `shrinkage` is 0; 1 changes
    nothing but the length."""
    covariance = within_class_covariance(embeddings, owners)
    size = len(covariance)
    covariance = (1.0 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    powers, directions = np.linalg.eigh(covariance)
    return (directions / np.sqrt(powers)) @ directions.T


def both_views(kernel: np.ndarray, own: float = 1.0) -> np.ndarray:
    """The symmetric matrix (D, D) after which the cosine of two embeddings counts what they tell of the teacher's as
    much as the embeddings themselves. `kernel` (D, T): an embedding times it is what it tells (`core.dataset.teacher`).

    It is the square root of `own` + K K', K being the kernel scaled so that what is told has length 1 on the average
    over all directions; with `own` 0 only the teacher's view counts.
    """
    told = kernel.astype(np.float64) @ kernel.T
    powers, directions = np.linalg.eigh(own * np.eye(len(told)) + told * (len(told) / np.trace(told)))
    return (directions * np.sqrt(np.maximum(powers, 0.0))) @ directions.T


def narrowing(embeddings: np.ndarray, size: int) -> np.ndarray:
    """The matrix (D, size) to the directions in which embeddings (n, D) have most of their power, which changes their
    products with one another least."""
    _, directions = np.linalg.eigh(embeddings.T.astype(np.float64) @ embeddings)
    return directions[:, : -size - 1 : -1]


def compensate(embeddings: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Embeddings (n, D) through a `compensation` (D, D), at length 1 again; float32."""
    moved = embeddings @ matrix
    return (moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-9)).astype(np.float32)
