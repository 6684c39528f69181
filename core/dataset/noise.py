"""Noise recordings -> images that are mixed in while training, and 5 s pieces of sound."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate
from core.dataset.manifest import short_name
from core.dataset.recordings import audio_files, unique
from core.dataset.storage import Storage
from core.errors import AudioError, DatasetError, SourceError
from core.segments import fit, normalise
from core.sources.file import blocks
from core.spectrogram import spectrogram_image, write_png

MAX_NOISE_SECONDS = 600.0  # of one file


def build_noise(root: Path, folder: str | Path | Storage) -> int:
    """Images of every noise file (5 s pieces, level set, nothing cut) for mixing in training; returns their number."""
    storage = Storage.of(folder)
    count, names = 0, set()
    for path in audio_files(root):
        name = unique(short_name(path.stem), names)
        for index, samples in enumerate(noise_segments(path)):
            target = f"noise/{name}_{index:03d}.png"
            if not storage.exists(target):
                content = io.BytesIO()
                write_png(spectrogram_image(samples), content)
                storage.write(target, content.getvalue())
            count += 1
    storage.tidy(all_mine=True)
    if not count:
        raise DatasetError(f"no sound in {root}: give --noise a folder of noise recordings, or leave it out")
    return count


def noise_segments(path: Path) -> list[np.ndarray]:
    """The first `MAX_NOISE_SECONDS` of a noise file as 5 s pieces at the set level; empty when it cannot be read or
    holds nothing."""
    try:
        audio = concatenate(list(blocks(path, 0.0, MAX_NOISE_SECONDS)))
    except (AudioError, SourceError):
        return []
    size = round(SEGMENT_SECONDS * audio.rate)
    pieces = [audio.samples[start : start + size] for start in range(0, len(audio), size)]
    return [fit(normalise(Audio(piece).samples)) for piece in pieces if len(piece) >= size // 2 and np.any(piece)]
