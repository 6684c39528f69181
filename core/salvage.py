"""What is whole in a damaged speaker database: read row by row around the damage, and checked before it is believed.

A person is saved with those sessions of which no embedding is missing in between and every one is sound: finite
numbers, length 1 (see `core.embedder`). A page of the file that was overwritten inside an embedding changes its length,
so it cannot pass. Settings are not saved: they are quickly chosen again.

SQLite takes any value in any column, so a file may be damaged (or made by hand) without its noticing: see `misfit`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import numpy as np

from core.enrolled import is_embedding
from core.errors import InvalidName
from core.names import clean_name, name_key, shortened

TABLES = ("speakers", "sessions", "segments", "recordings", "corrections")
FILL = """UPDATE sessions SET consent_at = (SELECT consent_at FROM speakers WHERE id = speaker_id)
    WHERE consent_at = ''"""  # layout 1 has none of a session
MIN_SEGMENTS = 4  # of a session; fewer are no enrolment (20 s, see `core.enrolment`)
MAX_STEP = 64  # row numbers skipped at once where nothing can be read
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: SQLite's complaint quotes bytes that are no text
MAX_FAILURES = 5_000  # reads that fail one after another before a table is given up


def misfit(db: sqlite3.Connection) -> str | None:
    """Whose row holds a value of another type than its column's, or an embedding that is no finite numbers, and what it
    is; None where nobody's does."""
    if not any(db.execute(f"SELECT 1 FROM {table} WHERE {_of_another_type(db, table)}").fetchone() for table in TABLES):
        rows = db.execute("SELECT cnn, ann FROM segments")
        if all(_is_finite(b"".join(chain.from_iterable(some))) for some in iter(lambda: rows.fetchmany(1000), [])):
            return None
    db.create_function("is_finite", 1, lambda blob: blob is None or _is_finite(blob))
    odd = [
        f"WHEN {wrong} THEN '{name} is ' || typeof({name}) || ' in the place of {kind}'"
        for table in TABLES
        for name, kind, wrong in _columns(db, table)
    ]
    odd += [
        f"WHEN NOT is_finite({model}) THEN 'an embedding of the {model.upper()} is not finite numbers'"
        for model in ("cnn", "ann")
    ]
    found = db.execute(
        f"SELECT speakers.name, CASE {' '.join(odd)} END AS what FROM speakers "
        "LEFT JOIN sessions ON speaker_id = speakers.id LEFT JOIN segments ON segments.session_id = sessions.id "
        "LEFT JOIN recordings ON recordings.session_id = sessions.id "
        "LEFT JOIN corrections ON likeliest = speakers.id WHERE what IS NOT NULL"
    ).fetchone()
    if found is None:
        return None  # a row that belongs to nobody: it is never read
    name, what = found
    return f"{shortened(name if isinstance(name, str) else name.decode(errors='replace'))}: {what}"


def _columns(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, str, str]]:
    """(name, type, SQL that asks whether a row has a value of another type there) of every column."""
    for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})"):
        name = f"{table}.{column}"
        yield name, kind.lower(), f"(typeof({name}) != '{kind.lower()}' AND {name} IS NOT NULL)"


def _of_another_type(db: sqlite3.Connection, table: str) -> str:
    return " OR ".join(wrong for _, _, wrong in _columns(db, table))


def salvage(damaged: Path, whole: sqlite3.Connection) -> list[str]:
    """Copy what is sound in the file `damaged` into the empty, current database `whole`; the names of the people saved.

    All or nothing; `damaged` is only read where it has no write-ahead log beside it.
    """
    wal = damaged.with_name(f"{damaged.name}-wal")
    address = f"{damaged.resolve().as_uri()}?{'mode=rw' if wal.exists() else 'mode=ro&immutable=1'}"
    whole.execute("PRAGMA foreign_keys = OFF")  # the order of tables does not matter; checked at the end
    whole.execute("BEGIN IMMEDIATE")
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as broken:
            broken.text_factory = lambda raw: raw.decode("utf-8", "replace")
            for table in TABLES:
                _copy(broken, whole, table)
        _believe_only_what_is_sound(whole)
        whole.execute(FILL)
        names = [name for (name,) in whole.execute("SELECT name FROM speakers ORDER BY id")]
        if names:
            whole.execute("UPDATE changes SET revision = revision + 1")
        whole.execute("COMMIT")
        return names
    except UNREADABLE:  # nothing in it can be read at all
        whole.execute("ROLLBACK")
        return []
    finally:
        whole.execute("PRAGMA foreign_keys = ON")


def _copy(broken: sqlite3.Connection, whole: sqlite3.Connection, table: str) -> None:
    """Every row that can be read and that fits the layout."""
    wanted = [row[1] for row in whole.execute(f"PRAGMA table_info({table})")]
    try:
        there = {row[1] for row in broken.execute(f"PRAGMA table_info({table})")}
    except UNREADABLE:
        return
    columns = ", ".join(name for name in wanted if name in there)
    if not columns:
        return
    marks = ", ".join("?" * (columns.count(",") + 1))
    for row in _rows(broken, f"SELECT rowid, {columns} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"):
        try:
            whole.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)
        except sqlite3.DatabaseError:
            continue  # a value that cannot be


def _rows(db: sqlite3.Connection, query: str) -> Iterator[tuple]:
    """The rows of a table in order, stepping over what cannot be read and what would lead back."""
    last, step, failures = -1, 1, 0
    while failures < MAX_FAILURES:
        try:
            row = db.execute(query, (last,)).fetchone()
            if row is None:
                return
            readable = row[0] > last  # else a number out of its place, behind which the same rows come for ever
        except (*UNREADABLE, OverflowError):
            readable = False
        if readable:
            last, step, failures = row[0], 1, 0
            yield row[1:]
        else:
            last, step, failures = last + step, min(2 * step, MAX_STEP), failures + 1


def _believe_only_what_is_sound(db: sqlite3.Connection) -> None:
    for table in TABLES:
        db.execute(f"DELETE FROM {table} WHERE {_of_another_type(db, table)}")
    spoilt = {
        session
        for session, cnn, ann in db.execute("SELECT session_id, cnn, ann FROM segments")
        if not (_is_embedding(cnn) and _is_embedding(ann))
    }
    spoilt |= {
        session
        for session, segments, last in db.execute(
            "SELECT session_id, SUM(kind = 'segment'), MAX(position) - COUNT(*) FROM segments GROUP BY session_id"
        )
        if segments < MIN_SEGMENTS or last != -1
    }
    db.executemany("DELETE FROM sessions WHERE id = ?", [(session,) for session in spoilt])
    db.execute("DELETE FROM segments WHERE session_id NOT IN (SELECT id FROM sessions)")
    db.execute("DELETE FROM sessions WHERE id NOT IN (SELECT session_id FROM segments)")
    db.execute("DELETE FROM speakers WHERE id NOT IN (SELECT speaker_id FROM sessions)")
    for number, name, key in db.execute("SELECT id, name, key FROM speakers").fetchall():
        if not _is_name(name, key):
            db.execute("DELETE FROM speakers WHERE id = ?", (number,))
    while lost := db.execute("PRAGMA foreign_key_check").fetchall():  # rows whose person or session is not there
        db.executemany(f"DELETE FROM {lost[0][0]} WHERE rowid = ?", [(r[1],) for r in lost if r[0] == lost[0][0]])


def _is_finite(blob: object) -> bool:
    return isinstance(blob, bytes) and len(blob) % 4 == 0 and bool(np.isfinite(np.frombuffer(blob, "<f4")).all())


def _is_embedding(blob: object) -> bool:
    return isinstance(blob, bytes) and len(blob) % 4 == 0 and is_embedding(np.frombuffer(blob, "<f4"))


def _is_name(name: object, key: object) -> bool:
    try:
        return clean_name(name) == name and name_key(name) == key
    except InvalidName:
        return False
