"""What is whole in a damaged speaker database: read row by row around the damage, and checked before it is believed.

A person is saved with those sessions of which no embedding is missing in between and every one is sound: finite
numbers, as many as its network makes, length 1 (see `core.misfits`). A page of the file that was overwritten inside an
embedding changes its length, so it cannot pass. Words whose bytes are no UTF-8 are saved as `core.misfits.text_of`
reads them. Settings are not saved: they are quickly chosen again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from core.errors import InvalidName
from core.misfits import TABLES, oddity, of_another_type, sizes, text_of
from core.names import clean_name, name_key

FILL = """UPDATE sessions SET consent_at = (SELECT consent_at FROM speakers WHERE id = speaker_id)
    WHERE consent_at = ''"""  # layout 1 has none of a session
MIN_SEGMENTS = 4  # of a session; fewer are no enrolment (20 s, see `core.enrolment`)
MAX_STEP = 64  # row numbers skipped at once where nothing can be read
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: SQLite's complaint quotes bytes that are no text
MAX_FAILURES = 5_000  # reads that fail one after another before a table is given up


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
            guessed: set[str] = set()  # words that were no UTF-8

            def words(raw: bytes) -> str:
                text = text_of(raw)
                if text.encode() != raw:
                    guessed.add(text)
                return text

            broken.text_factory = words
            for table in TABLES:
                _copy(broken, whole, table)
        _believe_only_what_is_sound(whole, guessed)
        whole.execute(FILL)
        names = [name for (name,) in whole.execute("SELECT name FROM speakers ORDER BY id")]
        if names:
            whole.execute("UPDATE changes SET revision = revision + 1")
        whole.execute("COMMIT")
        return names
    except BaseException:
        if whole.in_transaction:  # SQLite itself takes it back where the disk is full
            whole.execute("ROLLBACK")
        raise
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
        except sqlite3.OperationalError:
            raise  # a full disk: it says nothing of the row
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


def _believe_only_what_is_sound(db: sqlite3.Connection, guessed: set[str]) -> None:
    for table in TABLES:
        db.execute(f"DELETE FROM {table} WHERE {of_another_type(db, table)}")
    needed = sizes(db)
    spoilt = {
        session
        for session, model, *blobs in db.execute(
            "SELECT session_id, model_id, cnn, ann FROM segments JOIN sessions ON id = session_id"
        )
        if any(map(oddity, blobs, needed[model]))
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
        if name in guessed or key in guessed:
            db.execute("UPDATE OR IGNORE speakers SET key = ? WHERE id = ?", (name_key(name), number))
            key = db.execute("SELECT key FROM speakers WHERE id = ?", (number,)).fetchone()[0]
        if not _is_name(name, key):
            db.execute("DELETE FROM speakers WHERE id = ?", (number,))
    while lost := db.execute("PRAGMA foreign_key_check").fetchall():  # rows whose person or session is not there
        db.executemany(f"DELETE FROM {lost[0][0]} WHERE rowid = ?", [(r[1],) for r in lost if r[0] == lost[0][0]])


def _is_name(name: object, key: object) -> bool:
    try:
        return clean_name(name) == name and name_key(name) == key
    except InvalidName:
        return False
