"""What cannot be in a speaker database: SQLite takes any value in any column, so a file may be damaged (or made by
hand) without its noticing. Found when the file is opened, before it ends in somebody else's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from core.embedder import MODELS, shipped_sizes
from core.enrolled import LENGTH_TOLERANCE, is_embedding
from core.names import shortened

TABLES = ("speakers", "sessions", "segments", "recordings", "corrections")
WORDY = ("speakers", "sessions", "corrections")  # the text of segments is one of two words (a CHECK of the table)
ROWS = 200  # of embeddings looked at together


def misfit(db: sqlite3.Connection) -> str | None:
    """Whose row holds a value of another type than its column's, text that is none, or an embedding that their network
    cannot have made, and what it is; None where nobody's does."""
    columns = {table: list(_columns(db, table)) for table in TABLES}
    typed = not any(
        db.execute(f"SELECT 1 FROM {table} WHERE {_any_wrong(columns[table])}").fetchone() for table in TABLES
    )
    decode, db.text_factory = db.text_factory, bytes  # what is no text can be read too
    try:
        written = all(_is_text(db, table, columns[table]) for table in WORDY)
        if typed and written:
            found = None if _all_are_embeddings(db) else _odd_embedding(db)
        else:
            found = _odd_value(db, list(chain.from_iterable(columns.values())), written=written)
    finally:
        db.text_factory = decode
    if found is None:
        return None  # or a row that belongs to nobody: it is never read
    name, what = found
    return f"{shortened(text_of(name) if isinstance(name, bytes) else str(name))}: {what}"


def of_another_type(db: sqlite3.Connection, table: str) -> str:
    """SQL that asks whether a row of the table has a value of another type than its column's."""
    return _any_wrong(_columns(db, table))


def text_of(raw: bytes) -> str:
    """Text of the database. What is no UTF-8 was most likely written by a program that knows only Windows' letters."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def sizes(db: sqlite3.Connection) -> dict[object, tuple[int, int]]:
    """By model id how many numbers its embeddings have (CNN, ANN): of the weights that ship it is known, of others it
    is what most of theirs have."""
    found = {model: (cnn // 4, ann // 4) for model, cnn, ann, _ in _lengths(db)}  # the last of each: the most frequent
    return found | {model: size for model, size in shipped_sizes().items() if model in found}


def oddity(blob: object, size: int) -> str:
    """Why this is no embedding of `size` numbers, as the end of a sentence; '' where it is one."""
    if not isinstance(blob, bytes) or len(blob) % 4 or not np.isfinite(values := np.frombuffer(blob, "<f4")).all():
        return "is not finite numbers"
    if len(values) != size:
        return f"has {len(values)} numbers in the place of {size}"
    if not is_embedding(values):
        return f"has the length {np.linalg.norm(values.astype(np.float64)):.3g} in the place of 1"
    return ""


def _columns(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, str, str]]:
    """(name, type, SQL that asks whether a row has a value of another type there) of every column."""
    for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})"):
        name = f"{table}.{column}"
        yield name, kind.lower(), f"(typeof({name}) != '{kind.lower()}' AND {name} IS NOT NULL)"


def _any_wrong(columns: Iterable[tuple[str, str, str]]) -> str:
    return " OR ".join(wrong for _, _, wrong in columns)


def _is_text(db: sqlite3.Connection, table: str, columns: list[tuple[str, str, str]]) -> bool:
    texts = ", ".join(name for name, kind, _ in columns if kind == "text")
    words = chain.from_iterable(db.execute(f"SELECT {texts} FROM {table}"))
    return _is_utf8(b"\0".join(one for one in words if isinstance(one, bytes)))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _odd_value(
    db: sqlite3.Connection, columns: list[tuple[str, str, str]], *, written: bool
) -> tuple[object, str] | None:
    """(name, what) of the first person of whom a value is of another type, or no text."""
    odd = [
        f"WHEN {wrong} THEN '{name} is ' || typeof({name}) || ' in the place of {kind}'"
        for name, kind, wrong in columns
    ]
    if not written:
        db.create_function("is_utf8", 1, lambda raw: raw is None or _is_utf8(raw))
        odd += [
            f"WHEN NOT is_utf8(CAST({name} AS BLOB)) THEN '{name} is not UTF-8 text'"
            for name, kind, _ in columns
            if kind == "text"
        ]
    found = db.execute(
        f"SELECT speakers.name, CASE {' '.join(odd)} END AS what FROM speakers "
        "LEFT JOIN sessions ON speaker_id = speakers.id LEFT JOIN segments ON segments.session_id = sessions.id "
        "LEFT JOIN recordings ON recordings.session_id = sessions.id "
        "LEFT JOIN corrections ON likeliest = speakers.id WHERE what IS NOT NULL"
    ).fetchone()
    return found and (found[0], found[1].decode())


def _all_are_embeddings(db: sqlite3.Connection) -> bool:
    """Looked at in large pieces, as each start waits for it."""
    lengths = set()  # of blobs, in bytes
    rows = db.execute("SELECT cnn, ann FROM segments")
    for some in iter(lambda: rows.fetchmany(ROWS), []):
        blobs = list(chain.from_iterable(some))
        found = set(map(len, blobs))
        alike = [blobs] if len(found) == 1 else [[one for one in blobs if len(one) == length] for length in found]
        if not all(map(_have_length_1, alike)):
            return False
        lengths |= found
    if any(lengths <= {4 * cnn} and cnn == ann for cnn, ann in shipped_sizes().values()):
        return True
    needed = sizes(db)
    return all(needed[model] == (cnn / 4, ann / 4) for model, cnn, ann, _ in _lengths(db))


def _have_length_1(blobs: Sequence[bytes]) -> bool:
    """Of blobs that are all as long."""
    if not blobs[0] or len(blobs[0]) % 4:
        return False
    values = np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), -1)
    with np.errstate(all="ignore"):
        off = np.abs(np.sqrt(np.einsum("nd,nd->n", values, values)) - 1.0)
    return bool((off <= LENGTH_TOLERANCE).all())  # NaN is not


def _odd_embedding(db: sqlite3.Connection) -> tuple[object, str] | None:
    """(name, what) of the first person of whom an embedding is none."""
    needed = sizes(db)
    rows = db.execute(
        "SELECT name, model_id, cnn, ann FROM speakers JOIN sessions ON speaker_id = speakers.id "
        "JOIN segments ON session_id = sessions.id ORDER BY session_id, position"
    )
    for name, model, *blobs in rows:
        for which, blob, size in zip(MODELS, blobs, needed[_word(model)], strict=True):
            if what := oddity(blob, size):
                return name, f"an embedding of the {which.upper()} {what}"
    return None


def _lengths(db: sqlite3.Connection) -> list[tuple[object, int, int, int]]:
    """(model id, bytes of an embedding of the CNN, of the ANN, how many segments have them), the most frequent last."""
    rows = db.execute(
        "SELECT model_id, length(cnn), length(ann), COUNT(*) FROM segments JOIN sessions ON id = session_id "
        "GROUP BY 1, 2, 3 ORDER BY 4"
    )
    return [(_word(model), *more) for model, *more in rows]


def _word(value: object) -> object:
    return text_of(value) if isinstance(value, bytes) else value
