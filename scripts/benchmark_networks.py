"""How long both networks take for one segment, in one thread and in as many as there are cores; for
`scripts/benchmark.py`."""

from __future__ import annotations

import os
from pathlib import Path

from core.audio import SEGMENT_SECONDS, decode
from core.embedder import Embedder
from core.pace import interleaved
from core.segments import prepare
from core.spectral import feature_row
from core.spectrogram import spectrogram_image

SAMPLE = Path(__file__).resolve().parents[1] / "demo" / "samples" / "conversation.opus"


def measure_networks(repeats: int) -> dict:
    """By number of threads: ms of CNN and ANN, one after the other, for one image and one feature row."""
    samples = prepare(decode(SAMPLE).between(5.0, 5.0 + SEGMENT_SECONDS))
    image, row = spectrogram_image(samples)[None], feature_row(samples)[None]
    embedders = {threads: Embedder(threads=threads) for threads in sorted({1, os.cpu_count() or 1})}
    works = {
        f"{threads} thread{'s' * (threads > 1)}": lambda one=one: (one.embed_images(image), one.embed_rows(row))
        for threads, one in embedders.items()
    }
    pace = interleaved(works, repeats=repeats)
    return {name: {"ms": 1e3 * one.clock, "processor_ms": 1e3 * one.processor} for name, one in pace.items()}
