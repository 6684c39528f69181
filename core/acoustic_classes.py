"""Acoustic classes: what of a voice's cepstrum is the sound being made, and what is the voice.

Frames are shared out over `CLASSES` kinds of sound, a Gaussian mixture over many voices (made by
scripts/fit_classes.py, shipped beside this file). For each class a segment gives how often it came and how far the
mean cepstrum of its frames lies from everybody's, drawn towards 0 where it came seldom: the supervector of Reynolds,
Quatieri & Dunn 2000, "Speaker verification using adapted Gaussian mixture models", Digital Signal Processing 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

CLASSES = 64  # kinds of sound
RELEVANCE = 4.0  # frames' worth of "like everybody" added to each class
CLASS_FILE = Path(__file__).with_name("acoustic_classes.npz")


@dataclass(frozen=True, eq=False)
class AcousticClasses:
    """A Gaussian mixture with diagonal covariances over cepstra: `weights` (CLASSES,), `means` and `variances`
    (CLASSES, D), float32; in order of their first mean, so that neighbours sound alike."""

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    def shares(self, cepstra: np.ndarray) -> np.ndarray:
        """Probability of each class for each frame: (T, D) -> (T, CLASSES)."""
        precision = 1.0 / self.variances
        constant = np.log(self.weights) + 0.5 * (np.log(precision) - self.means**2 * precision).sum(axis=1)
        likelihood = cepstra @ (self.means * precision).T - 0.5 * (cepstra**2) @ precision.T + constant
        likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        return likelihood / likelihood.sum(axis=1, keepdims=True)


@cache
def acoustic_classes() -> AcousticClasses:
    """The classes that ship with the code."""
    with np.load(CLASS_FILE, allow_pickle=False) as file:
        return AcousticClasses(file["weights"], file["means"], file["variances"])


def class_statistics(cepstra: np.ndarray) -> np.ndarray:
    """(T, D) cepstra without c0, their mean over time subtracted -> shares (CLASSES,), then for each class the
    mean of its frames less that of the class, drawn towards 0: (CLASSES * D,)."""
    classes = acoustic_classes()
    shares = classes.shares(cepstra.astype(np.float32))
    counts = shares.sum(axis=0)
    away = shares.T @ cepstra - counts[:, None] * classes.means
    return np.concatenate([np.sqrt(counts / len(cepstra)), (away / (counts + RELEVANCE)[:, None]).ravel()])
