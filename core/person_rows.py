"""People as rows of the database: found by name, put in with their sessions."""

from __future__ import annotations

import sqlite3

from core.enrolled import PersonRecord, Profile
from core.errors import DuplicateName, StoreError, UnknownSpeaker
from core.names import clean_name, listed, name_key, shortened
from core.session_rows import insert_session

_PROFILE = """SELECT p.id, p.name, p.created_at, p.consent_at,
    (SELECT model_id FROM sessions WHERE speaker_id = p.id ORDER BY id DESC LIMIT 1),
    (SELECT COUNT(*) FROM sessions WHERE speaker_id = p.id),
    (SELECT COUNT(*) FROM segments JOIN sessions s ON s.id = session_id WHERE s.speaker_id = p.id AND kind = 'segment')
    FROM speakers p """


def profiles(db: sqlite3.Connection, condition: str = "1", *values: object) -> list[Profile]:
    """People of whom an SQL condition on `p`, their row, holds, in the order of enrolment."""
    return [Profile(*row) for row in db.execute(f"{_PROFILE} WHERE {condition} ORDER BY p.id", values)]


def profile_of(db: sqlite3.Connection, speaker: int) -> Profile:
    """The person of that id, who must be there."""
    return profiles(db, "p.id = ?", speaker)[0]


def find_person(db: sqlite3.Connection, name: str) -> Profile:
    """The person of that name, whatever the case of the letters; raises `UnknownSpeaker` with the names there are."""
    if found := profiles(db, "p.key = ?", name_key(str(name))):
        return found[0]
    names = [one for (one,) in db.execute("SELECT name FROM speakers ORDER BY id")]
    if not names:
        raise UnknownSpeaker(f"no one is called {shortened(name)}: nobody is enrolled yet")
    raise UnknownSpeaker(f"no one is called {shortened(name)}; enrolled: {listed(names)}")


def check_free(db: sqlite3.Connection, name: str, *, but_for: int = 0) -> None:
    """Raises `DuplicateName` where somebody other than the person of id `but_for` has the name."""
    taken = db.execute("SELECT name FROM speakers WHERE key = ? AND id != ?", (name_key(name), but_for)).fetchone()
    if taken:
        raise DuplicateName(
            f"{shortened(taken[0])} is enrolled already: use another name, add a session to it, or delete it first"
        )


def insert_person(db: sqlite3.Connection, person: PersonRecord) -> Profile:
    """Put a person in with all sessions. Raises `InvalidName`, `DuplicateName`, and `StoreError` for what does not
    belong there."""
    name = clean_name(person.name)
    if not person.sessions:
        raise StoreError(f"{shortened(name)} has no session: record at least 5 s of speech")
    check_free(db, name)
    speaker = db.execute(
        "INSERT INTO speakers (name, key, created_at, consent_at) VALUES (?, ?, ?, ?)",
        (name, name_key(name), person.created_at, person.consent_at),
    ).lastrowid
    for session in person.sessions:
        insert_session(db, speaker, session)
    return profile_of(db, speaker)
