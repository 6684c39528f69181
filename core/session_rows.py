"""Sessions and their segments as rows of the database, checked before they go in."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from core.enrolled import KINDS, EnrolledSegment, Session, SessionRecord, is_embedding
from core.errors import StoreError
from core.names import one_line
from core.segments import Quality

_ROW = "kind, start, speech, level, clipped, snr, cnn, cnn_dims, ann, ann_dims, bandwidth"  # see `checked_rows`


def insert_session(db: sqlite3.Connection, speaker: int, session: SessionRecord) -> None:
    """Put a session below a person. Raises `StoreError` for what does not belong there."""
    source, remark = one_line(session.source), one_line(session.remark)
    made = db.execute(
        "INSERT INTO sessions (speaker_id, created_at, consent_at, source, model_id, remark) VALUES (?, ?, ?, ?, ?, ?)",
        (speaker, session.created_at, session.consent_at, source, session.model_id, remark),
    ).lastrowid
    insert_segments(db, made, session.segments, session.model_id)
    if session.flac:
        db.execute("INSERT INTO recordings VALUES (?, ?)", (made, session.flac))


def insert_segments(db: sqlite3.Connection, session: int, segments: Sequence[EnrolledSegment], model_id: str) -> None:
    """Put segments below a session. Raises `StoreError` for what does not belong there: embeddings must be as long as
    all others of these weights."""
    rows = checked_rows(segments)
    dims = dims_of(rows[0])
    known = db.execute(
        "SELECT cnn_dims, ann_dims FROM segments JOIN sessions s ON s.id = session_id WHERE s.model_id = ? LIMIT 1",
        (model_id,),
    ).fetchone()
    if known and known != dims:
        raise StoreError(
            f"embeddings of {dims} values under model {model_id}, which made {known} before: "
            "give other weights another model id"
        )
    db.executemany(
        f"INSERT INTO segments (session_id, position, {_ROW}) VALUES ({', '.join('?' * 13)})",
        [(session, position, *row) for position, row in enumerate(rows)],
    )


def sessions_of(db: sqlite3.Connection, speaker: int) -> list[Session]:
    """The sessions of a person in the order of enrolment."""
    qualities: dict[int, list[Quality]] = {}
    for session, *measured in db.execute(
        "SELECT session_id, speech, level, clipped, snr, bandwidth FROM segments JOIN sessions s "
        "ON s.id = session_id WHERE s.speaker_id = ? AND kind = 'segment' ORDER BY session_id, position",
        (speaker,),
    ):
        qualities.setdefault(session, []).append(Quality(*measured))
    rows = db.execute(
        "SELECT id, created_at, consent_at, source, model_id, remark, "
        "EXISTS (SELECT 1 FROM recordings WHERE session_id = id) FROM sessions WHERE speaker_id = ? "
        "ORDER BY id",
        (speaker,),
    )
    return [Session(*row[:6], bool(row[6]), tuple(qualities.get(row[0], ()))) for row in rows]


def session_records(db: sqlite3.Connection, speaker: int) -> tuple[SessionRecord, ...]:
    """Everything that is kept of a person, in the order of enrolment."""
    sessions = db.execute(
        "SELECT id, created_at, consent_at, source, model_id, remark, flac FROM sessions LEFT JOIN recordings "
        "ON session_id = id WHERE speaker_id = ? ORDER BY id",
        (speaker,),
    ).fetchall()
    return tuple(
        SessionRecord(
            *row[1:6],
            tuple(
                segment_of(one)
                for one in db.execute(f"SELECT {_ROW} FROM segments WHERE session_id = ? ORDER BY position", row[:1])
            ),
            row[6],
        )
        for row in sessions
    )


def checked_rows(segments: Sequence[EnrolledSegment]) -> list[tuple]:
    """Rows of the table `segments` without session and position. Raises `StoreError` for what does not belong there."""
    if not segments:
        raise StoreError("no segments to store: record at least 5 s of speech")
    rows = []
    for segment in segments:
        if segment.kind not in KINDS:
            raise StoreError(f"segment kind {segment.kind!r} is not one of {KINDS}")
        made = []
        for vector in (segment.cnn, segment.ann):
            vector = np.asarray(vector, dtype="<f4")
            if vector.ndim != 1 or not is_embedding(vector):  # else the file was damaged when it is opened again
                raise StoreError(f"an embedding must be finite numbers of length 1, (D,), got shape {vector.shape}")
            made += [vector.tobytes(), len(vector)]
        q = segment.quality
        measured = (segment.start, q.speech, q.level, q.clipped, q.snr)
        rows.append((segment.kind, *(float(value) for value in measured), *made, float(q.bandwidth)))
    if len({dims_of(row) for row in rows}) != 1:
        raise StoreError("the embeddings differ in length: they must come from the same weights")
    return rows


def dims_of(row: tuple) -> tuple[int, int]:
    """Lengths of both embeddings in a row of `checked_rows`."""
    return row[7], row[9]


def segment_of(row: tuple) -> EnrolledSegment:
    """A row of `checked_rows`, as the database gives it back -> the segment."""
    kind, start, speech, level, clipped, snr, cnn, _, ann, _, bandwidth = row
    vectors = (np.frombuffer(blob, "<f4").astype(np.float32) for blob in (cnn, ann))
    return EnrolledSegment(kind, start, Quality(speech, level, clipped, snr, bandwidth), *vectors)
