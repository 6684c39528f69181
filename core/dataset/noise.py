"""Noise recordings -> images that are mixed in while training, and 5 s pieces of sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate
from core.dataset.fingerprint import fingerprint
from core.dataset.manifest import short_name
from core.dataset.recordings import Recording, audio_files, unique
from core.dataset.storage import Storage
from core.errors import AudioError, DatasetError, SourceError
from core.segments import fit, normalise
from core.sources.file import blocks
from core.spectrogram import spectrogram_image, write_png

MADE_OF = "noise/made_of.txt"
MAX_NOISE_SECONDS = 600.0  # of one file


def build_noise(root: Path, folder: str | Path | Storage) -> int:
    """Images of every noise file (5 s pieces, level set, nothing cut) for mixing in training; returns their number.

    They take the place of all that were there, unless those were made of the same files. Raises `DatasetError` where
    there is no sound.
    """
    storage, files, names = Storage.of(folder), audio_files(root), set()
    made_of = fingerprint(Recording(path, path.relative_to(root).as_posix()) for path in files).encode()
    if storage.exists(MADE_OF) and storage.read(MADE_OF) == made_of:
        return len(noise_images(storage))
    try:
        with storage.scratch() as scratch:
            (made := scratch / "noise").mkdir()
            for path in files:
                name = unique(short_name(path.stem), names)
                for index, samples in enumerate(noise_segments(path)):
                    write_png(spectrogram_image(samples), made / f"{name}_{index:03d}.png")
            if not any(made.iterdir()):
                raise DatasetError(f"no sound in {root}: give --noise a folder of noise recordings, or leave it out")
            storage.put_folder("noise", made)
        storage.write(MADE_OF, made_of)  # last: what was cut off on the way is made again
    finally:
        storage.tidy(all_mine=True)
    return len(noise_images(storage))


def noise_images(folder: str | Path | Storage) -> list[str]:
    """The names of a dataset's noise images."""
    return [name for name in Storage.of(folder).names("noise") if name.endswith(".png")]


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
