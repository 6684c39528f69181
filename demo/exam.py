"""The exam: a comparison of both models over the people enrolled, as the Compare tab runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.audio import Audio
from core.comparison import MIN_PEOPLE, Comparison, comparing
from core.embedder import Embeddings
from core.errors import SpeakerError
from core.heads import Calibration
from core.recognizer import Recognizer
from core.speakers import Enrolled
from demo import compare_texts as texts
from demo.compare_view import labelled
from demo.enrolled_sound import EnrolledSound
from demo.notice_view import notice, progress, trouble

AS_IT_IS = "asis"  # no channel
SHOWN_SEGMENTS = 200  # in the menu of segments


@dataclass(frozen=True, eq=False)
class Exam:
    """A comparison that was run, with whom, where their sound is, and through which channel it was heard ('': none).
    `mark`: `SpeakerStore.people_mark` of that moment."""

    done: Comparison
    people: tuple[Enrolled, ...]
    sound: EnrolledSound
    channel: str
    mark: str


def people_of(recognizer: Recognizer) -> list[Enrolled]:
    """Everybody whom these weights know."""
    return recognizer.store.embeddings(recognizer.model_id)


def unchanged(recognizer: Recognizer, mark: str) -> None:
    """Raises `SpeakerError` where people have changed since then: what was made of them is nobody's business."""
    if recognizer.store.people_mark() != mark:
        raise SpeakerError(texts.CHANGED)


def run(recognizer: Recognizer, protocol: str, channel: str) -> Iterator[tuple[str, Exam | None]]:
    """The exam; yields progress and at last the result, each as (notice, exam or None)."""
    try:
        mark, people = recognizer.store.people_mark(), people_of(recognizer)
        if len(people) < MIN_PEOPLE:
            raise SpeakerError(texts.TOO_FEW.format(count=len(people)))
        sound = EnrolledSound(recognizer, people)
        heard: dict[tuple[int, int], Embeddings | None] = {}
        if channel != AS_IT_IS:
            places = [
                (i, row) for i, one in enumerate(people) for row, kind in enumerate(one.kinds) if kind == "segment"
            ]
            for done, place in enumerate(places):
                text = texts.HEARING.format(number=done + 1, count=len(places), channel=texts.CHANNELS[channel])
                yield progress(text, done / len(places)), None
                heard[place] = sound.through(*place, channel)
            if not any(heard.values()):
                raise SpeakerError(texts.NO_TRIALS_SOUND.format(channel=texts.CHANNELS[channel]))
        steps = comparing(
            people,
            recognizer.embedder.cohort,
            Calibration(**recognizer.embedder.calibration),
            protocol=protocol,
            heard=(lambda person, row: heard.get((person, row))) if channel != AS_IT_IS else None,
        )
        text = texts.RUNNING.format(protocol=texts.PROTOCOLS[protocol])
        while True:
            try:
                yield progress(text, next(steps)), None
            except StopIteration as end:
                comparison = end.value
                break
        if not comparison.held:
            raise SpeakerError(texts.NO_TRIALS_SESSION if protocol == "session" else texts.NO_TRIALS)
        how = texts.HOW[channel == AS_IT_IS].format(protocol=texts.PROTOCOLS[protocol], channel=texts.CHANNELS[channel])
        said = texts.DONE.format(trials=len(comparison.held), people=len(set(comparison.truth)), how=how)
        made = Exam(comparison, tuple(people), sound, "" if channel == AS_IT_IS else channel, mark)
        unchanged(recognizer, mark)
        yield notice(said, "good"), made
    except Exception as error:  # noqa: BLE001 - one sentence instead of a stack trace
        yield trouble(error), None


def menu(exam: Exam) -> list[tuple[str, int]]:
    """The judged segments as (label, number), those that the models disagree on first."""
    apart = exam.done.disagreements()
    others = [t for t in range(len(exam.done.held)) if t not in set(apart)]
    return [(labelled(exam.done, t), t) for t in [*apart, *others][:SHOWN_SEGMENTS]]


def sound_of(exam: Exam, number: int) -> Audio | None:
    """The sound of a judged segment as the models heard it, where it is there."""
    held = exam.done.held[number]
    one = exam.people[held.person]
    at = np.flatnonzero((one.sessions == held.session) & (one.starts == held.start))
    rows = [row for row in at if one.kinds[row] == "segment"]
    return exam.sound.heard(held.person, int(rows[0]), exam.channel) if rows else None
