"""How much speech, how many people, who among whom: the product's heads on voices that no network has heard, with more
or less to learn from. One pass of embedding serves all curves. Not imported by the app."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core import protocol
from core.audio import SEGMENT_SECONDS
from core.embedder import Embedder, Embeddings, joined, with_windows
from core.errors import DatasetError
from core.evaluation import Cell, FittedHeads, draw, rivals_only
from core.heads import Calibration
from core.rooms import ROOMS

ENROL_SECONDS = (5, 10, 15, 20, 30, 45, 60)  # s of speech
PEOPLE = (2, 3, 5, 10, 20, 50)
DRAWS = 20  # sets of people


@dataclass(frozen=True, eq=False)
class Voices:
    """Everybody of a folder: `segments[i]` and the `windows[i]` between them (in each of `core.rooms`), in order, of up
    to 60 s; `tests` of other sessions by `owner`, int (tests,)."""

    names: tuple[str, ...]
    segments: tuple[Embeddings, ...]
    windows: tuple[Embeddings, ...]
    tests: Embeddings
    owner: np.ndarray
    same_recording: np.ndarray  # bool (tests,), see `core.evaluation.measure`
    cohort: Embeddings
    calibration: Calibration

    def enrolled(self, seconds: float) -> list[Embeddings]:
        """What everybody enrols with when `seconds` of speech are taken: segments and the windows between them."""
        count = max(1, int(seconds / SEGMENT_SECONDS))
        return [
            with_windows(_first(one, count), _first(between, (count - 1) * len(ROOMS)))
            for one, between in zip(self.segments, self.windows, strict=True)
        ]

    def measure(self, enrolled: Sequence[Embeddings], draws: np.ndarray) -> dict[str, Cell]:
        """Cells by answer; draws of equal size."""
        heads = FittedHeads.fit(enrolled, draws, self.cohort, self.calibration)
        return heads.measure(self.tests, self.owner, self.same_recording)

    def of(self, places: np.ndarray) -> Voices:
        """Some of the speakers alone, by their places in rising order."""
        mine = np.isin(self.owner, places)
        return replace(
            self,
            names=tuple(self.names[place] for place in places),
            segments=tuple(self.segments[place] for place in places),
            windows=tuple(self.windows[place] for place in places),
            tests=self.tests.rows(mine),
            owner=np.searchsorted(places, self.owner[mine]),
            same_recording=self.same_recording[mine],
        )


def gather(
    folder: Path,
    embedder: Embedder,
    *,
    trouble: list[str],
    limit: int = protocol.TEST_LIMIT,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Voices:
    """Embed everybody in `folder` (see `core.protocol`)."""
    people = protocol.find_people(folder)
    names, segments, windows, tests, owner, single = [], [], [], [], [], []
    for subject, clips in protocol.enrolments(people, seconds=float(ENROL_SECONDS[-1]), trouble=trouble):
        alone = protocol.around(subject, [], [])
        pieces, _ = protocol.pieces_through(subject, "clean", seed=seed, around=alone, limit=limit, trouble=trouble)
        segments.append(embedder.embed(list(clips.segments)))
        windows.append(embedder.embed(list(clips.windows)))
        tests.append(embedder.embed([protocol.prepared(piece) for piece in pieces]))
        owner += [len(names)] * len(pieces)
        single += [subject.same_recording] * len(pieces)
        names.append(subject.name)
        progress(len(names), len(people))
    calibration = Calibration(**embedder.calibration)
    return Voices(
        tuple(names),
        tuple(segments),
        tuple(windows),
        joined(tests),
        np.array(owner, int),
        rivals_only(single),
        embedder.cohort,
        calibration,
    )


def by_seconds(voices: Voices, *, people: int = 5, draws: int = DRAWS) -> dict[int, dict[str, Cell]]:
    """Seconds of enrolment -> cells, as far as everybody has that much."""
    least = min(len(one) for one in voices.segments) * SEGMENT_SECONDS
    groups = draw(len(voices.names), people=people, count=draws)
    return {s: voices.measure(voices.enrolled(s), groups) for s in ENROL_SECONDS if s <= least}


def by_people(voices: Voices, *, seconds: float = 30.0, draws: int = DRAWS) -> dict[int, dict[str, Cell]]:
    """People enrolled -> cells, as far as there are so many."""
    enrolled = voices.enrolled(seconds)
    sizes = [size for size in PEOPLE if size <= len(voices.names)]
    return {s: voices.measure(enrolled, draw(len(voices.names), people=s, count=draws)) for s in sizes}


def by_gender(
    voices: Voices, genders: dict[str, str], *, people: int = 5, draws: int = DRAWS, seconds: float = 30.0
) -> dict[str, dict[str, Cell]]:
    """Draws of one gender only, 'F' or 'M', and of everybody, 'mixed' -> cells."""
    found = {"mixed": voices.measure(voices.enrolled(seconds), draw(len(voices.names), people=people, count=draws))}
    for gender in sorted(set(genders.values())):
        places = np.array([i for i, name in enumerate(voices.names) if genders.get(name) == gender])
        if gender and len(places) > people:
            among = voices.of(places)
            found[gender] = among.measure(among.enrolled(seconds), draw(len(places), people=people, count=draws))
    return found


def genders_of(folder: Path, table: Path | None = None) -> dict[str, str]:
    """Speaker -> gender, where known, from `table` or FOLDER.csv beside the folder (columns `speaker`, `gender`); empty
    where neither is there. Raises `DatasetError` for a `table` that is missing, and for what is no such table."""
    path = table or Path(folder).resolve().with_suffix(".csv")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        if table:
            raise DatasetError(f"{table} is missing: speakers and their genders were to be read of it") from error
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: a CSV with speaker and gender is needed: {error}") from error
    if rows and not {"speaker", "gender"} <= set(rows[0]):
        raise DatasetError(f"{path} needs the columns speaker and gender, it has {', '.join(map(str, rows[0]))}")
    return {row["speaker"]: row["gender"] for row in rows if row["gender"]}


def _first(one: Embeddings, count: int) -> Embeddings:
    """As far as there are so many."""
    return Embeddings(one.cnn[:count], one.ann[:count])
