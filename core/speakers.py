"""The speaker store: who is enrolled, with the embeddings of their voice; one SQLite file in the user's data folder.

A person has sessions (one enrolment each), a session has segments, a segment has its quality and one embedding per
model. Every change is one transaction, and deleting leaves no byte of a voice behind (see `core.database`).
Safe from several threads and processes. Times are UTC, ISO 8601.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence

import numpy as np

from core.database import Database, home_folder
from core.enrolled import Enrolled, EnrolledSegment, PersonRecord, Profile, Session, SessionRecord
from core.errors import ConsentMissing, StoreError
from core.names import clean_name, name_key, shortened
from core.person_rows import check_free, find_person, insert_person, profile_of, profiles
from core.session_rows import insert_segments, insert_session, session_records, sessions_of

__all__ = ["Enrolled", "EnrolledSegment", "Profile", "Session", "SpeakerStore", "clean_name", "home_folder"]


class SpeakerStore:
    """The people enrolled in one folder.

    `home`: see `home_folder`; made with mode 0700. `notice`: a sentence for the user when the database was damaged
    and a new one begun, else None. Raises `StoreError` when the folder or file cannot be used.
    """

    def __init__(self, home: str | os.PathLike | None = None):
        self.database = Database(home)
        self.home, self.path, self.notice = self.database.home, self.database.path, self.database.notice
        self._marked = (-1, "")  # revision and `people_mark` of it

    def add(
        self,
        name: str,
        *,
        segments: Sequence[EnrolledSegment],
        model_id: str,
        source: str,
        consent: bool,
        remark: str = "",
        flac: bytes | None = None,
    ) -> Profile:
        """Enrol a new person; all or nothing. `remark`: what was odd about the sound. `flac`: the speech, to be kept.

        Raises `InvalidName`, `DuplicateName`, `ConsentMissing`, and `StoreError` when embeddings do not fit.
        """
        session = _session(segments, model_id, source, consent, remark, flac)
        return self.add_people([PersonRecord(clean_name(name), session.created_at, session.consent_at, (session,))])[0]

    def add_session(
        self,
        name: str,
        *,
        segments: Sequence[EnrolledSegment],
        model_id: str,
        source: str,
        consent: bool,
        remark: str = "",
        flac: bytes | None = None,
    ) -> Profile:
        """Add another session to a person who is enrolled; all or nothing. Raises `UnknownSpeaker`, `StoreError`."""
        session = _session(segments, model_id, source, consent, remark, flac)
        with self.database.change() as db:
            speaker = find_person(db, name).id
            insert_session(db, speaker, session)
            return profile_of(db, speaker)

    def add_people(self, people: Iterable[PersonRecord], *, replace: Iterable[str] = ()) -> list[Profile]:
        """Take up people with all their sessions, all or nothing. `replace`: names whose present owners go first.

        Raises `InvalidName`, `DuplicateName`, `StoreError`.
        """
        replace = list(replace)
        with self.database.change(scrub=bool(replace)) as db:
            for name in replace:
                db.execute("DELETE FROM speakers WHERE id = ?", (find_person(db, name).id,))
            return [insert_person(db, person) for person in people]

    def profiles(self) -> list[Profile]:
        """Everybody, in the order of enrolment."""
        with self.database.connection() as db:
            return profiles(db)

    def get(self, name: str) -> Profile:
        """One person, whatever the case of the letters; raises `UnknownSpeaker` with the names there are."""
        with self.database.connection() as db:
            return find_person(db, name)

    def free_name(self, name: str) -> str:
        """`name` as it would be kept. Raises `InvalidName`, `DuplicateName`."""
        name = clean_name(name)
        with self.database.connection() as db:
            check_free(db, name)
        return name

    def embeddings(self, model_id: str, *, windows_up_to: int | None = None) -> list[Enrolled]:
        """Embeddings made by `model_id`, by person in the order of enrolment; people without any are left out.

        With more such people than `windows_up_to` only the segments: windows serve heads that a crowd does not get.
        """
        with self.database.connection() as db:
            db.execute("BEGIN")  # profiles and rows of the same moment
            rows = db.execute(
                "SELECT s.speaker_id, kind, s.id, start, source, cnn, ann "
                "FROM segments JOIN sessions s ON s.id = session_id "
                "WHERE s.model_id = :model AND (:most IS NULL OR kind = 'segment' OR "
                "(SELECT COUNT(DISTINCT speaker_id) FROM sessions WHERE model_id = :model) <= :most) "
                "ORDER BY s.speaker_id, s.id, position",
                {"model": model_id, "most": windows_up_to},
            ).fetchall()
            people = {one.id: one for one in profiles(db)} if rows else {}
        if not rows:
            return []
        owners, kinds, sessions, starts, sources, *blobs = zip(*rows, strict=True)
        cnn, ann = (np.frombuffer(b"".join(one), "<f4").astype(np.float32).reshape(len(rows), -1) for one in blobs)
        owners, sessions, starts = np.array(owners), np.array(sessions, np.int64), np.array(starts, np.float64)
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))  # of each person's rows
        return [
            Enrolled(
                profile=people[int(owners[first])],
                cnn=cnn[first:last],
                ann=ann[first:last],
                kinds=kinds[first:last],
                sessions=sessions[first:last],
                starts=starts[first:last],
                sources=sources[first:last],
            )
            for first, last in zip(firsts, [*firsts[1:], len(rows)], strict=True)
        ]

    def outdated(self, model_id: str) -> list[Profile]:
        """People with nothing made by `model_id`: they must enrol again to be recognised by these weights."""
        lacking = "NOT EXISTS (SELECT 1 FROM sessions WHERE speaker_id = p.id AND model_id = ?)"
        with self.database.connection() as db:
            return profiles(db, lacking, model_id)

    def sessions(self, name: str) -> list[Session]:
        """The sessions of a person in the order of enrolment. Raises `UnknownSpeaker`."""
        with self.database.connection() as db:
            db.execute("BEGIN")
            return sessions_of(db, find_person(db, name).id)

    def records(self, names: Iterable[str] | None = None) -> list[PersonRecord]:
        """Everything that is kept of these people (None: of everybody), in the order of enrolment or as named."""
        with self.database.connection() as db:
            db.execute("BEGIN")
            if names is None:
                found = profiles(db)
            else:
                found = list({one.id: one for one in (find_person(db, name) for name in names)}.values())
            return [
                PersonRecord(one.name, one.created_at, one.consent_at, session_records(db, one.id)) for one in found
            ]

    def recordings(self, name: str) -> dict[int, bytes]:
        """Session id -> speech as FLAC, of the sessions whose audio was kept. Raises `UnknownSpeaker`."""
        with self.database.connection() as db:
            db.execute("BEGIN")
            speaker = find_person(db, name).id
            return dict(
                db.execute(
                    "SELECT s.id, flac FROM recordings JOIN sessions s ON s.id = session_id WHERE speaker_id = ?",
                    (speaker,),
                )
            )

    def renew_session(self, session: int, *, segments: Sequence[EnrolledSegment], model_id: str) -> None:
        """Put what other weights made of a session in the place of its segments. Raises `StoreError`."""
        with self.database.change(scrub=True) as db:
            if not db.execute("UPDATE sessions SET model_id = ? WHERE id = ?", (model_id, session)).rowcount:
                raise StoreError("this session is gone: look at the list of people again")
            db.execute("DELETE FROM segments WHERE session_id = ?", (session,))
            insert_segments(db, session, segments, model_id)

    def delete_session(self, name: str, session: int) -> Profile:
        """Remove one session of a person who has several. Raises `UnknownSpeaker`, `StoreError`."""
        with self.database.change(scrub=True) as db:
            person = find_person(db, name)
            if person.sessions < 2:
                raise StoreError(f"{shortened(person.name)} has only this session: delete the person instead")
            if not db.execute("DELETE FROM sessions WHERE id = ? AND speaker_id = ?", (session, person.id)).rowcount:
                raise StoreError("this session is gone already: look at the list of people again")
            return profile_of(db, person.id)

    def rename(self, old: str, new: str) -> Profile:
        """Give a person another name. Raises `UnknownSpeaker`, `InvalidName`, `DuplicateName`."""
        new = clean_name(new)
        with self.database.change(scrub=True) as db:
            speaker = find_person(db, old).id
            check_free(db, new, but_for=speaker)
            db.execute("UPDATE speakers SET name = ?, key = ? WHERE id = ?", (new, name_key(new), speaker))
            return profile_of(db, speaker)

    def delete(self, name: str) -> Profile:
        """Remove a person and every trace of their voice from the database; returns who it was."""
        with self.database.change(scrub=True) as db:
            gone = find_person(db, name)
            db.execute("DELETE FROM speakers WHERE id = ?", (gone.id,))
            return gone

    def delete_all(self) -> int:
        """Remove everybody, and damaged databases that were set aside; returns how many people were enrolled."""
        try:
            with self.database.change(scrub=True) as db:
                return db.execute("DELETE FROM speakers").rowcount
        finally:
            self._delete_set_aside()

    def set_aside(self) -> list[str]:
        """Names of the files of damaged databases in `home`: they may hold the voice of somebody who was deleted."""
        return sorted(path.name for path in self.home.glob(f"{self.path.name}.corrupt-*"))

    def _delete_set_aside(self) -> None:
        try:
            for leftover in map(self.home.joinpath, self.set_aside()):
                leftover.unlink(missing_ok=True)  # another program may be deleting them too
        except OSError as error:
            raise StoreError(f"{leftover} could not be deleted ({error.strerror}): delete it yourself") from error

    def sureness(self) -> float | None:
        """How sure the user wants to be before somebody is named: a probability, None where nothing was chosen."""
        with self.database.connection() as db:
            row = db.execute("SELECT CAST(value AS REAL) FROM settings WHERE key = 'sureness'").fetchone()
            return row[0] if row else None

    def choose_sureness(self, probability: float | None) -> None:
        """Keep that choice; None takes it back. Raises `StoreError` for what is no probability."""
        if probability is not None and not 0.0 <= probability < 1.0:
            raise StoreError(f"{probability:g} is no probability below 1: choose from 0 to 0.99")
        with self.database.change() as db:
            db.execute("DELETE FROM settings WHERE key = 'sureness'")
            if probability is not None:
                db.execute("INSERT INTO settings VALUES ('sureness', ?)", (repr(float(probability)),))

    def people_mark(self) -> str:
        """Changes when who is enrolled, their names or their sessions do, and with nothing else."""
        if (revision := self.revision()) != self._marked[0]:
            wanted = "p.id, name, p.created_at, s.id, s.created_at, model_id"
            with self.database.connection() as db:
                rows = db.execute(
                    f"SELECT {wanted} FROM speakers p LEFT JOIN sessions s ON speaker_id = p.id ORDER BY p.id, s.id"
                ).fetchall()
            self._marked = revision, hashlib.sha256(repr(rows).encode()).hexdigest()
        return self._marked[1]

    def revision(self) -> int:
        """A number that changes with every change, whichever process made it."""
        with self.database.connection() as db:
            return db.execute("SELECT revision FROM changes").fetchone()[0]


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def _session(
    segments: Sequence[EnrolledSegment], model_id: str, source: str, consent: bool, remark: str, flac: bytes | None
) -> SessionRecord:
    if consent is not True:
        raise ConsentMissing("no consent was given: a voice is stored only when the person agrees")
    return SessionRecord(now(), now(), source, model_id, remark, tuple(segments), flac)
