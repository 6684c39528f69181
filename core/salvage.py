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
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidName
from core.misfits import TABLES, oddity, of_another_type, sizes, text_of
from core.names import MAX_NAME, clean_name, listed, name_key

FILL = """UPDATE sessions SET consent_at = (SELECT consent_at FROM speakers WHERE id = speaker_id)
    WHERE consent_at = ''"""  # layout 1 has none of a session
MIN_SEGMENTS = 4  # of a session; fewer are no enrolment (20 s, see `core.enrolment`)
MAX_STEP = 64  # row numbers skipped at once where nothing can be read
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: SQLite's complaint quotes bytes that are no text
MAX_FAILURES = 5_000  # reads that fail one after another before a table is given up


@dataclass(frozen=True)
class Saved:
    """What a damaged database gave back."""

    names: tuple[str, ...]  # of the people saved
    lost: int  # people who could be read, but not saved; -1 where it is not known who was there
    whole: bool  # also every session of them, and whatever belongs to it


def salvage(damaged: Path, whole: sqlite3.Connection) -> Saved:
    """Copy what is sound in the file `damaged` into the empty, current database `whole`, in which a transaction has
    begun and foreign keys are off: the order of tables does not matter, and they are checked at the end.

    `damaged` is only read where it has no write-ahead log beside it.
    """
    wal = damaged.with_name(f"{damaged.name}-wal")
    address = f"{damaged.resolve().as_uri()}?{'mode=rw' if wal.exists() else 'mode=ro&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as broken:
        guessed: set[str] = set()  # words that were no UTF-8

        def words(raw: bytes) -> str:
            text = text_of(raw)
            if text.encode() != raw:
                guessed.add(text)
            return text

        broken.text_factory = words
        all_read = {table: _copy(broken, whole, table, guessed) for table in TABLES}
    read = _counted(whole)
    _believe_only_what_is_sound(whole)
    whole.execute(FILL)
    kept = _counted(whole)
    names = tuple(name for (name,) in whole.execute("SELECT name FROM speakers ORDER BY id"))
    if names:
        whole.execute("UPDATE changes SET revision = revision + 1")
    lost = read["speakers"] - kept["speakers"]
    return Saved(names, lost if lost or all_read["speakers"] else -1, read == kept and all(all_read.values()))


def told(saved: Saved | None, found: str, kept: str) -> str:
    """What the user hears of a rescue. `saved`: None where it is not known whom the database gave back; `found`: what
    was odd in it, '' where SQLite itself could not read it; `kept`: where it is now."""
    if saved is None:
        who = "see who is enrolled, and enrol again whoever is missing"
    elif not saved.names:
        who = "enrol everybody again"
    elif saved.lost > 0:
        who = f"these people were saved from it: {listed(saved.names)}; enrol the others again"
    elif saved.lost < 0 or not found:  # nobody knows what stood where nothing could be read
        who = f"these people were saved from it: {listed(saved.names)}; if anybody is missing, enrol them again"
    elif saved.whole:
        who = f"everybody was saved from it: {listed(saved.names)}; nobody needs to enrol again"
    else:
        who = f"everybody was saved from it, though not all that was kept of them: {listed(saved.names)}"
    return (
        f"The speaker database was damaged{f' ({found})' if found else ''}. It was {kept} and a new one was begun: "
        f"{who}. Delete the old file when you do not need it; it may hold voices."
    )


def _counted(db: sqlite3.Connection) -> dict[str, int]:
    return {table: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES}


def _copy(broken: sqlite3.Connection, whole: sqlite3.Connection, table: str, guessed: set[str]) -> bool:
    """Every row that can be read and that fits the layout; were there no others?"""
    wanted = [row[1] for row in whole.execute(f"PRAGMA table_info({table})")]
    try:
        there = {row[1] for row in broken.execute(f"PRAGMA table_info({table})")}
    except UNREADABLE:
        return False
    columns = [name for name in wanted if name in there]
    if not columns:
        return True  # layout 1 has fewer tables
    everything = True
    query = f"SELECT rowid, {', '.join(columns)} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"
    for row in _rows(broken, query):
        if row is None:
            everything = False
            continue
        values = dict(zip(columns, row, strict=True))
        if table == "speakers":
            _give_own_key(whole, values, guessed)
        marks = ", ".join("?" * len(values))
        try:
            whole.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        except sqlite3.OperationalError:
            raise  # a full disk: it says nothing of the row
        except sqlite3.DatabaseError:
            everything = False  # a value that cannot be
    return everything


def _give_own_key(whole: sqlite3.Connection, person: dict[str, object], guessed: set[str]) -> None:
    """Where a name was guessed its key is; where another has the same name by now, this one gets a number."""
    name, key = person.get("name"), person.get("key")
    if not isinstance(name, str):
        return
    if key is None or name in guessed or key in guessed:
        person["key"] = name_key(name)
    number = 1
    while whole.execute("SELECT 1 FROM speakers WHERE key = ?", (person["key"],)).fetchone():
        number += 1
        person["name"] = f"{name[: MAX_NAME - 6].rstrip()} ({number})"
        person["key"] = name_key(person["name"])


def _rows(db: sqlite3.Connection, query: str) -> Iterator[tuple | None]:
    """The rows of a table in order, stepping over what cannot be read and what would lead back (None)."""
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
            yield None


def _believe_only_what_is_sound(db: sqlite3.Connection) -> None:
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
        if not _is_name(name, key):
            db.execute("DELETE FROM speakers WHERE id = ?", (number,))
    while lost := db.execute("PRAGMA foreign_key_check").fetchall():  # rows whose person or session is not there
        db.executemany(f"DELETE FROM {lost[0][0]} WHERE rowid = ?", [(r[1],) for r in lost if r[0] == lost[0][0]])


def _is_name(name: object, key: object) -> bool:
    try:
        return clean_name(name) == name and name_key(name) == key
    except InvalidName:
        return False
