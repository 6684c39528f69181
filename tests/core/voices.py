"""Voices to put into a speaker store: random embeddings, the same for the same seed."""

from pathlib import Path

import numpy as np

from core.segments import Quality
from core.speakers import EnrolledSegment, SpeakerStore

GOOD = Quality(speech=4.5, level=-22.0, clipped=0.0, snr=30.0)
DIMS = (192, 64)


def voice(seed: int, count: int = 6, *, windows: int = 0, dims: tuple[int, int] = DIMS) -> list[EnrolledSegment]:
    random = np.random.default_rng(seed)

    def embedding(dims: int) -> np.ndarray:
        made = random.standard_normal(dims).astype(np.float32)
        return made / np.linalg.norm(made)  # length 1, as networks make them

    return [
        EnrolledSegment(
            kind="segment" if index < count else "window",
            start=index * 5.0,
            quality=GOOD,
            cnn=embedding(dims[0]),
            ann=embedding(dims[1]),
        )
        for index in range(count + windows)
    ]


def enrol(store: SpeakerStore, name: str, seed: int = 0, model: str = "m1", **options):
    return store.add(name, segments=voice(seed, **options), model_id=model, source="microphone", consent=True)


def bytes_on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(home.iterdir()) if path.is_file())
