"""A person's check: do the segments enrolled hold together, are they recognised, who sounds most alike, and what does
each session bring?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.coherence import least_alike, likeness
from core.recognizer import Recognizer
from core.self_check import SessionGain


@dataclass(frozen=True)
class PersonCheck:
    """Measured on what is enrolled with the weights in use. `recognised` of `segments`: named rightly, and as sure as
    the user wants, when each is left out in turn; 0 of 0 where the person has one segment only, and of many sessions
    the newest `core.self_check.MOST_SESSIONS`. `own`: likeness between the two parts that are least alike
    (`core.coherence`; one voice is above `ONE_VOICE`). `nearest`: who else sounds most alike, and how much; None where
    nobody else is enrolled. `gains`: what each session brings, () where there is one only."""

    segments: int
    recognised: int
    own: float
    nearest: tuple[str, float] | None
    gains: tuple[SessionGain, ...] = ()


def check_person(
    recognizer: Recognizer, name: str, *, progress: Callable[[float], None] = lambda done: None
) -> PersonCheck | None:
    """None where these weights made nothing of the person. Raises `UnknownSpeaker`."""
    name, people = recognizer.store.get(name).name, recognizer.store.embeddings(recognizer.model_id)
    person = next((one for one in people if one.profile.name == name), None)
    if person is None or not len(person.segments):
        return None
    gains = tuple(recognizer.session_gains(name, progress=progress))
    if gains:
        sizes = {gain.session: 0 for gain in gains}
        for session, kind in zip(person.sessions.tolist(), person.kinds, strict=True):
            if session in sizes and kind == "segment":
                sizes[session] += 1
        judged, right = sum(sizes.values()), sum(round(one.within[0] * sizes[one.session]) for one in gains)
    else:
        trials = recognizer.self_check(of=name, progress=progress)
        judged, right = len(trials), sum(one.right for one in trials)
    return PersonCheck(
        judged,
        right,
        least_alike(likeness(person.segments, person.segments, recognizer.embedder.cohort)),
        recognizer.nearest(name),
        gains,
    )
