"""Self-check: how well the people enrolled are told apart, and kept apart from strangers, measured on themselves.

Leave one segment out: a sixth of everybody's segments (with the windows that overlap them) and a sixth of the cohort
are kept from the heads, which then judge them. A stranger here is a voice (or a noise) of the cohort. What is left out
comes from the same recordings as what is learned, so people are recognised more easily here than tomorrow; strangers
are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.audio import SEGMENT_SECONDS
from core.embedder import Embeddings
from core.enrolled import Enrolled
from core.heads import Calibration, Heads, probabilities

FOLDS = 6  # an enrolment has six segments
MOST_SESSIONS = 20  # of a person, each of which is left out in turn: more would take minutes


@dataclass(frozen=True)
class Trial:
    """One segment, judged by heads that do not know it. `person`: who spoke, '' for a stranger. `session`, `start`:
    where it lies. `likeliest`: the person who came out first, with `probability_first`. `probability`: of `person`.
    `unknown`: of a stranger. `sureness`: how probable a person must be to be named.
    """

    person: str
    session: int
    start: float
    likeliest: str
    probability_first: float
    probability: float
    unknown: float = 0.0
    sureness: float = 0.0

    @property
    def right(self) -> bool:
        """Is the likeliest person the one who spoke, more likely than a stranger and as probable as the user wants? As
        `Heads.decide` names."""
        return self.likeliest == self.person and self.probability_first >= max(self.unknown, self.sureness)


@dataclass(frozen=True)
class SessionGain:
    """What one session of a person is worth: the share of its segments that are recognised, and the mean probability of
    the person, `without` it (learned from the other sessions: as through a microphone or on a day never heard) and
    `within` (each segment left out with a sixth of all)."""

    session: int
    without: tuple[float, float]
    within: tuple[float, float]


def session_gains(
    name: str,
    people: Sequence[Enrolled],
    cohort: Embeddings,
    calibration: Calibration,
    *,
    sureness: float = 0.0,
    progress: Callable[[float], None] = lambda done: None,
) -> list[SessionGain]:
    """What each session of a person brings, of many the newest `MOST_SESSIONS`; [] for a person with one session only.
    `people`: who else is enrolled. `sureness`: see `Heads`."""
    person = next((one for one in people if one.profile.name == name), None)
    sessions = [] if person is None else list(dict.fromkeys(person.sessions.tolist()))
    if len(sessions) < 2:
        return []
    names = [one.profile.name for one in people]
    half = {"of": name, "sureness": sureness, "progress": lambda done: progress(done / 2)}
    left, steps = left_out(people, cohort, calibration, **half), []
    measured = sessions[-MOST_SESSIONS:]
    for number, session in enumerate(measured):
        away = person.sessions == session
        segment = away & np.array([kind == "segment" for kind in person.kinds])
        rows = [_rows(one, ~away if one is person else np.ones(len(one.kinds), bool)) for one in people]
        heads = Heads(names, rows, cohort, calibration, sureness=sureness)
        without = recognised(name, heads, _rows(person, segment))
        mine = [trial for trial in left if trial.session == session]
        within = float(np.mean([one.right for one in mine])), float(np.mean([one.probability for one in mine]))
        steps.append(SessionGain(session, without, within))
        progress(0.5 + (number + 1) / len(measured) / 2)
    return steps


def recognised(name: str, heads: Heads, embeddings: Embeddings) -> tuple[float, float]:
    """The share of segments that are named `name`, and the mean probability of that person."""
    share = np.mean([one["both"].name == name for one in heads.decide(embeddings)])
    chances = probabilities(heads.log_odds(embeddings)["both"])
    return float(share), float(chances[:, heads.names.index(name)].mean())


def left_out(
    people: Sequence[Enrolled],
    cohort: Embeddings,
    calibration: Calibration,
    *,
    of: str | None = None,
    sureness: float = 0.0,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Trial]:
    """Every segment of everybody, and every voice of the cohort, judged by heads that do not know it.

    `of`: only this person's segments are left out and judged, and no strangers. `sureness`: see `Heads`. `progress`:
    gets the fraction done.
    """
    trials: list[Trial] = []
    for fold in range(FOLDS):
        held = [_held(one, fold) if of in (None, one.profile.name) else _none(one) for one in people]
        away = np.arange(len(cohort)) % FOLDS == fold if of is None else np.zeros(len(cohort), bool)
        heads = Heads(
            [one.profile.name for one in people],
            [_rows(one, ~(segments | windows)) for one, (segments, windows) in zip(people, held, strict=True)],
            cohort.rows(~away),
            calibration,
            sureness=sureness,
        )
        for one, (segments, _) in zip(people, held, strict=True):
            if segments.any():
                trials += _judged(heads, _rows(one, segments), one, np.flatnonzero(segments))
        if away.any():
            trials += _judged(heads, cohort.rows(away))
        progress((fold + 1) / FOLDS)
    return trials


def _held(person: Enrolled, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks (n,): segments that this fold leaves out, and the windows that share sound with them."""
    segment = np.array([kind == "segment" for kind in person.kinds])
    order = np.cumsum(segment) - 1  # number of each segment
    held = segment & (order % FOLDS == fold)
    if held.sum() == segment.sum():  # somebody must be left to learn from
        return _none(person)
    near = (person.sessions[:, None] == person.sessions[held]) & (
        np.abs(person.starts[:, None] - person.starts[held]) < SEGMENT_SECONDS
    )
    return held, ~segment & near.any(axis=1)


def _none(person: Enrolled) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(person.kinds), bool), np.zeros(len(person.kinds), bool)


def _rows(person: Enrolled, mask: np.ndarray) -> Embeddings:
    return person.embeddings.rows(mask)


def _judged(
    heads: Heads, embeddings: Embeddings, person: Enrolled | None = None, rows: Sequence[int] = ()
) -> list[Trial]:
    chances = probabilities(heads.log_odds(embeddings)["both"])  # (n, people + 1)
    first = chances[:, :-1].argmax(axis=1)
    found = []
    for index, best in enumerate(first):
        name, session, start, own = "", 0, 0.0, 0.0
        if person is not None:
            name, session, start = person.profile.name, int(person.sessions[rows[index]]), person.starts[rows[index]]
            own = float(chances[index, heads.names.index(name)])
        likeliest, unknown = float(chances[index, best]), float(chances[index, -1])
        found.append(Trial(name, session, float(start), heads.names[best], likeliest, own, unknown, heads.sureness))
    return found
