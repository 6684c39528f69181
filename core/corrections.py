"""Corrections: "this was wrong, it was X" and "this was right", kept as decision and truth, never as sound."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import StoreError
from core.person_rows import find_person
from core.speakers import SpeakerStore, now
from core.timeline import Answer

MAX_CORRECTIONS = 2000  # kept; older ones go


@dataclass(frozen=True)
class Correction:
    """One answer and what was true. `likeliest`: the person who came out first, with `probability`. `named`: was that
    person named, or did the answer say Unknown? `truth`: who really spoke, None for somebody who is not enrolled."""

    created_at: str
    model_id: str
    likeliest: str
    probability: float
    named: bool
    truth: str | None

    @property
    def right(self) -> bool:
        """Was the likeliest person the one who spoke?"""
        return self.truth == self.likeliest


def likeliest(answer: Answer) -> tuple[str, float] | None:
    """The person who comes out first in an answer, named or not, with the probability; None where nobody is enrolled
    or nobody spoke."""
    both = answer.both
    if both.is_person:
        return both.name, both.probability
    return (both.runner_up, both.runner_up_probability) if both.runner_up else None


def correct(store: SpeakerStore, answer: Answer, truth: str | None, *, model_id: str) -> Correction:
    """Keep what was true of an answer. `truth`: the person who spoke, None for somebody who is not enrolled.

    Raises `UnknownSpeaker`, and `StoreError` when there is nothing to correct.
    """
    found = likeliest(answer)
    if found is None:
        raise StoreError("there is no answer about a person to correct: wait until somebody has spoken")
    with store.database.change(people=False) as db:
        first, true = find_person(db, found[0]), None if truth is None else find_person(db, truth)
        made = Correction(now(), model_id, first.name, found[1], answer.both.is_person, true.name if true else None)
        db.execute(
            "INSERT INTO corrections (created_at, model_id, likeliest, probability, named, truth) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (made.created_at, model_id, first.id, found[1], made.named, true.id if true else None),
        )
        db.execute("DELETE FROM corrections WHERE id <= (SELECT MAX(id) FROM corrections) - ?", (MAX_CORRECTIONS,))
        return made


def corrections(store: SpeakerStore, model_id: str | None = None) -> list[Correction]:
    """What was corrected, newest first. `model_id`: only answers of these weights."""
    with store.database.connection() as db:
        rows = db.execute(
            "SELECT c.created_at, c.model_id, l.name, probability, named, t.name FROM corrections c "
            "JOIN speakers l ON l.id = likeliest LEFT JOIN speakers t ON t.id = truth "
            "WHERE ? IS NULL OR c.model_id = ? ORDER BY c.id DESC",
            (model_id, model_id),
        )
        return [Correction(*row[:4], bool(row[4]), row[5]) for row in rows]


def take_back(store: SpeakerStore) -> Correction | None:
    """Remove the newest correction, made by mistake; None where there is none."""
    newest = next(iter(corrections(store)), None)
    with store.database.change(scrub=True, people=False) as db:
        db.execute("DELETE FROM corrections WHERE id = (SELECT MAX(id) FROM corrections)")
    return newest


def forget_corrections(store: SpeakerStore) -> int:
    """Remove them all; returns how many there were."""
    with store.database.change(scrub=True, people=False) as db:
        return db.execute("DELETE FROM corrections").rowcount
