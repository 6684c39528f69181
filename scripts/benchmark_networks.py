"""How long both networks take for one segment, in one thread and in as many as there are cores; for
`scripts/benchmark.py`."""

from __future__ import annotations

import os

import numpy as np

from core.embedder import Embedder
from core.pace import interleaved
from core.spectral import feature_row
from core.spectrogram import spectrogram_image


def measure_networks(samples: np.ndarray, repeats: int) -> dict:
    """By number of threads: ms of CNN and ANN, one after the other, for a prepared segment, float32
    (SEGMENT_SAMPLES,)."""
    image, row = spectrogram_image(samples)[None], feature_row(samples)[None]
    embedders = {threads: Embedder(threads=threads) for threads in sorted({1, os.cpu_count() or 1})}
    works = {
        f"{threads} thread{'s' * (threads > 1)}": lambda one=one: (one.embed_images(image), one.embed_rows(row))
        for threads, one in embedders.items()
    }
    pace = interleaved(works, repeats=repeats)
    return {name: {"ms": 1e3 * one.clock, "processor_ms": 1e3 * one.processor} for name, one in pace.items()}
