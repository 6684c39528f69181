"""The speaker store: who is enrolled, with the embeddings of their voice; one SQLite file in the user's data folder.

A person has sessions (one enrolment each), a session has segments, a segment has its quality and one embedding per
model. Every change is one transaction, and deleting leaves no byte of a voice behind (see `core.database`).
Safe from several threads and processes. Times are UTC, ISO 8601.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.database import Database, home_folder
from core.errors import DuplicateName, StoreError, UnknownSpeaker
from core.names import clean_name, name_key, shortened
from core.segments import Quality

__all__ = ["Enrolled", "EnrolledSegment", "Profile", "SpeakerStore", "clean_name", "home_folder"]

KINDS = ("segment", "window")  # a 5 s segment, or an overlapping window that only helps to train the head
NAMES_SHOWN = 6  # names listed in a message

_PROFILE = """SELECT p.id, p.name, p.created_at, p.consent_at,
    (SELECT model_id FROM sessions WHERE speaker_id = p.id ORDER BY id DESC LIMIT 1),
    (SELECT COUNT(*) FROM sessions WHERE speaker_id = p.id),
    (SELECT COUNT(*) FROM segments JOIN sessions s ON s.id = session_id WHERE s.speaker_id = p.id AND kind = 'segment')
    FROM speakers p """


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


class SpeakerStore:
    """The people enrolled in one folder.

    `home`: see `home_folder`; made with mode 0700. `notice`: a sentence for the user when the database was damaged
    and a new one begun, else None. Raises `StoreError` when the folder or file cannot be used.
    """

    def __init__(self, home: str | os.PathLike | None = None):
        self._database = Database(home)
        self.home, self.path, self.notice = self._database.home, self._database.path, self._database.notice

    def add(
        self, name: str, *, segments: Sequence[EnrolledSegment], model_id: str, source: str, consent: bool
    ) -> Profile:
        """Enrol a new person; all or nothing.

        Raises `InvalidName`, `DuplicateName`, and `StoreError` when `consent` is not True or embeddings do not fit.
        """
        name = clean_name(name)
        rows = _rows(segments, consent)
        with self._database.change() as db:
            taken = db.execute("SELECT name FROM speakers WHERE key = ?", (name_key(name),)).fetchone()
            if taken:
                raise DuplicateName(_taken(taken[0]))
            speaker = db.execute(
                "INSERT INTO speakers (name, key, created_at, consent_at) VALUES (?, ?, ?, ?)",
                (name, name_key(name), _now(), _now()),
            ).lastrowid
            _insert(db, speaker, rows, model_id, source)
            return _profile(db, speaker)

    def add_session(
        self, name: str, *, segments: Sequence[EnrolledSegment], model_id: str, source: str, consent: bool
    ) -> Profile:
        """Add another session to a person who is enrolled; all or nothing. Raises `UnknownSpeaker`, `StoreError`."""
        rows = _rows(segments, consent)
        with self._database.change() as db:
            speaker = _find(db, name).id
            _insert(db, speaker, rows, model_id, source)
            return _profile(db, speaker)

    def profiles(self) -> list[Profile]:
        """Everybody, in the order of enrolment."""
        with self._database.connection() as db:
            return [Profile(*row) for row in db.execute(_PROFILE + "ORDER BY p.id")]

    def get(self, name: str) -> Profile:
        """One person, whatever the case of the letters; raises `UnknownSpeaker` with the names there are."""
        with self._database.connection() as db:
            return _find(db, name)

    def embeddings(self, model_id: str) -> list[Enrolled]:
        """Embeddings made by `model_id`, by person in the order of enrolment; people without any are left out."""
        people: dict[int, list[tuple]] = {}
        with self._database.connection() as db:
            db.execute("BEGIN")  # profiles and rows of the same moment
            for row in db.execute(
                "SELECT s.speaker_id, kind, s.id, cnn, ann, start, source "
                "FROM segments JOIN sessions s ON s.id = session_id "
                "WHERE s.model_id = ? ORDER BY s.speaker_id, s.id, position",
                (model_id,),
            ):
                people.setdefault(row[0], []).append(row[1:])
            found = {person: _profile(db, person) for person in people}
        return [
            Enrolled(
                profile=found[person],
                cnn=np.stack([np.frombuffer(row[2], "<f4") for row in rows]).astype(np.float32),
                ann=np.stack([np.frombuffer(row[3], "<f4") for row in rows]).astype(np.float32),
                kinds=tuple(row[0] for row in rows),
                sessions=np.array([row[1] for row in rows], dtype=np.int64),
                starts=np.array([row[4] for row in rows]),
                sources=tuple(row[5] for row in rows),
            )
            for person, rows in people.items()
        ]

    def outdated(self, model_id: str) -> list[Profile]:
        """People with nothing made by `model_id`: they must enrol again to be recognised by these weights."""
        query = _PROFILE + (
            "WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE speaker_id = p.id AND model_id = ?) ORDER BY p.id"
        )
        with self._database.connection() as db:
            return [Profile(*row) for row in db.execute(query, (model_id,))]

    def rename(self, old: str, new: str) -> Profile:
        """Give a person another name. Raises `UnknownSpeaker`, `InvalidName`, `DuplicateName`."""
        new = clean_name(new)
        with self._database.change(scrub=True) as db:
            speaker = _find(db, old).id
            taken = db.execute(
                "SELECT name FROM speakers WHERE key = ? AND id != ?", (name_key(new), speaker)
            ).fetchone()
            if taken:
                raise DuplicateName(_taken(taken[0]))
            db.execute("UPDATE speakers SET name = ?, key = ? WHERE id = ?", (new, name_key(new), speaker))
            return _profile(db, speaker)

    def delete(self, name: str) -> Profile:
        """Remove a person and every trace of their voice from the database; returns who it was."""
        with self._database.change(scrub=True) as db:
            gone = _find(db, name)
            db.execute("DELETE FROM speakers WHERE id = ?", (gone.id,))
            return gone

    def delete_all(self) -> int:
        """Remove everybody, and damaged databases that were set aside; returns how many people were enrolled."""
        with self._database.change(scrub=True) as db:
            count = db.execute("DELETE FROM speakers").rowcount
        try:
            for leftover in self.home.glob(f"{self.path.name}.corrupt-*"):
                leftover.unlink()
        except OSError as error:
            raise StoreError(f"{leftover} could not be deleted ({error.strerror}): delete it yourself") from error
        return count

    def revision(self) -> int:
        """A number that changes with every change, whichever process made it."""
        with self._database.connection() as db:
            return db.execute("SELECT revision FROM changes").fetchone()[0]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def _profile(db: sqlite3.Connection, speaker: int) -> Profile:
    return Profile(*db.execute(_PROFILE + "WHERE p.id = ?", (speaker,)).fetchone())


def _find(db: sqlite3.Connection, name: str) -> Profile:
    row = db.execute(_PROFILE + "WHERE p.key = ?", (name_key(str(name)),)).fetchone()
    if row:
        return Profile(*row)
    names = [found for (found,) in db.execute("SELECT name FROM speakers ORDER BY id")]
    if not names:
        raise UnknownSpeaker(f"no one is called {shortened(name)}: nobody is enrolled yet")
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    raise UnknownSpeaker(f"no one is called {shortened(name)}; enrolled: {', '.join(names[:NAMES_SHOWN])}{more}")


def _taken(name: str) -> str:
    return f"{shortened(name)} is enrolled already: use another name, add a session to it, or delete it first"


def _rows(segments: Sequence[EnrolledSegment], consent: bool) -> list[tuple]:
    """Table rows, checked: kind, start, speech, level, clipped, snr, cnn, dims, ann, dims."""
    if consent is not True:
        raise StoreError("no consent was given: a voice is stored only when the person agrees")
    if not segments:
        raise StoreError("no segments to store: record at least 5 s of speech")
    rows = []
    for segment in segments:
        if segment.kind not in KINDS:
            raise StoreError(f"segment kind {segment.kind!r} is not one of {KINDS}")
        made = []
        for vector in (segment.cnn, segment.ann):
            vector = np.asarray(vector, dtype="<f4")
            if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
                raise StoreError(f"an embedding must be finite numbers of shape (D,), got shape {vector.shape}")
            made += [vector.tobytes(), len(vector)]
        q = segment.quality
        measured = (segment.start, q.speech, q.level, q.clipped, q.snr)
        rows.append((segment.kind, *(float(value) for value in measured), *made))
    if len({(row[7], row[9]) for row in rows}) != 1:
        raise StoreError("the embeddings differ in length: they must come from the same weights")
    return rows


def _insert(db: sqlite3.Connection, speaker: int, rows: list[tuple], model_id: str, source: str) -> None:
    dims = rows[0][7], rows[0][9]
    known = db.execute(
        "SELECT cnn_dims, ann_dims FROM segments JOIN sessions s ON s.id = session_id WHERE s.model_id = ? LIMIT 1",
        (model_id,),
    ).fetchone()
    if known and known != dims:
        raise StoreError(
            f"embeddings of {dims} values under model {model_id}, which made {known} before: "
            "give other weights another model id"
        )
    session = db.execute(
        "INSERT INTO sessions (speaker_id, created_at, source, model_id) VALUES (?, ?, ?, ?)",
        (speaker, _now(), source.encode(errors="replace").decode(), model_id),  # file names may be no valid text
    ).lastrowid
    db.executemany(
        f"INSERT INTO segments VALUES ({', '.join('?' * 12)})",
        [(session, position, *row) for position, row in enumerate(rows)],
    )
