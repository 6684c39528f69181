"""Babble behind augmented sound: of a few voices, the same for everybody, and nobody's own.

Not imported by the app.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from core.dataset.build import prepared
from core.dataset.recordings import Recording

COUNT = 64  # talkers
Talkers = tuple[tuple[str, tuple[Recording, ...]], ...]  # their names and recordings


def talkers_among(speakers: Mapping[str, Iterable[Recording]]) -> Talkers:
    """`COUNT` of the speakers. Their names decide, so that another speaker more or less changes one place at most."""
    chosen = sorted(speakers, key=lambda name: (zlib.crc32(name.encode()), name))[:COUNT]
    return tuple((name, tuple(speakers[name])) for name in chosen)


def heard_behind(speaker: str, talkers: Talkers) -> list[np.ndarray]:
    """A prepared segment, float32 (SEGMENT_SAMPLES,), of each talker but `speaker` who can be read."""
    heard = [_segment(recordings) for name, recordings in talkers if name != speaker]
    return [one for one in heard if one is not None]


@cache
def _segment(recordings: tuple[Recording, ...]) -> np.ndarray | None:
    """The first; read once in a process."""
    found = (samples for one in recordings for _, samples in prepared(one, []))
    return next(found, None)
