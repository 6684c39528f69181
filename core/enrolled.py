"""What is kept of a person: profile, sessions, segments of voice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.embedder import Embeddings
from core.segments import Quality

# A 5 s segment, or an overlapping window in a simulated room (`core.rooms`) that only helps to train the head.
KINDS = ("segment", "window")
LENGTH_TOLERANCE = 0.01  # of an embedding's length 1


@dataclass(frozen=True)
class Profile:
    """A person enrolled. `model_id`: weights of the latest session. `segments`: 5 s segments, windows not counted."""

    id: int
    name: str
    created_at: str
    consent_at: str
    model_id: str
    sessions: int
    segments: int


@dataclass(frozen=True, eq=False)
class EnrolledSegment:
    """One piece of voice to keep. `kind`: 'segment' or 'window'. `start`: s. `cnn`, `ann`: float32 (D,) embeddings."""

    kind: str
    start: float
    quality: Quality
    cnn: np.ndarray
    ann: np.ndarray


@dataclass(frozen=True, eq=False)
class Enrolled:
    """A person's embeddings: float32 `cnn` (n, Dc) and `ann` (n, Da); `kinds` (n); `sessions`, ids, int64 (n,);
    `starts`, s of speech since the session began, float64 (n,); `sources` (n), where each session came from."""

    profile: Profile
    cnn: np.ndarray
    ann: np.ndarray
    kinds: tuple[str, ...]
    sessions: np.ndarray
    starts: np.ndarray
    sources: tuple[str, ...]

    def of(self, model: str) -> np.ndarray:
        """Embeddings by name, 'cnn' or 'ann'."""
        return getattr(self, model)

    @property
    def embeddings(self) -> Embeddings:
        """Of segments and windows, the segments being those `heard`."""
        return Embeddings(self.cnn, self.ann, np.array([kind == "segment" for kind in self.kinds], bool))

    @property
    def segments(self) -> Embeddings:
        """Embeddings of the segments, windows left out."""
        return self.embeddings.rows(self.embeddings.heard)


@dataclass(frozen=True)
class Session:
    """One enrolment session of a person. `remark`: what was odd about it, '' where nothing was. `qualities`: of its
    segments, windows left out. `audio`: was the speech itself kept?"""

    id: int
    created_at: str
    consent_at: str
    source: str
    model_id: str
    remark: str
    audio: bool
    qualities: tuple[Quality, ...]


@dataclass(frozen=True, eq=False)
class SessionRecord:
    """A session with all that is kept of it. `flac`: the speech, where the person wished it to be kept."""

    created_at: str
    consent_at: str
    source: str
    model_id: str
    remark: str
    segments: tuple[EnrolledSegment, ...]
    flac: bytes | None = None


@dataclass(frozen=True, eq=False)
class PersonRecord:
    """A person with all that is kept: what an export holds and an import brings."""

    name: str
    created_at: str
    consent_at: str
    sessions: tuple[SessionRecord, ...]


def is_embedding(values: np.ndarray) -> bool:
    """Are these finite numbers of length 1, (D,), as networks make them? Asked of what comes from a file."""
    if not np.isfinite(values).all():  # first: NumPy warns of some that are none when it widens them
        return False
    return abs(float(np.linalg.norm(values.astype(np.float64))) - 1.0) <= LENGTH_TOLERANCE
