"""How the cost of people grows: opening their store, fitting heads, naming a segment; for `scripts/benchmark.py`."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import numpy as np

from core.embedder import Embedder, Embeddings
from core.enrolled import EnrolledSegment, PersonRecord, SessionRecord
from core.heads import CROWD, Calibration, Heads
from core.pace import interleaved
from core.rooms import ROOMS
from core.segments import Quality
from core.speakers import SpeakerStore

TIME = "2026-11-25T12:00:00+00:00"
SEGMENTS, WINDOWS = 6, 5 * len(ROOMS)  # of an enrolment of 30 s
REPEATS = 3


def crowd(count: int, embedder: Embedder) -> Iterator[PersonRecord]:
    """`count` people with made-up voices, each somewhere of their own."""
    chance = np.random.default_rng(count)
    size, quality = embedder.description["embedding"], Quality(4.5, -20.0, 0.0, 30.0, 7000.0)
    for number in range(count):
        made = chance.standard_normal((1, 2, size)) + 0.5 * chance.standard_normal((SEGMENTS + WINDOWS, 2, size))
        made = (made / np.linalg.norm(made, axis=2, keepdims=True)).astype(np.float32)
        pieces = tuple(
            EnrolledSegment("segment" if place < SEGMENTS else "window", 2.5 * place, quality, *both)
            for place, both in enumerate(made)
        )
        session = SessionRecord(TIME, TIME, "file", embedder.model_id, "", pieces)
        yield PersonRecord(f"Person {number}", TIME, TIME, (session,))


def measure_people(counts: list[int]) -> dict:
    """By number of people: ms of processor time (and by the clock) to open, read, fit, and to name one segment."""
    embedder, found = Embedder(), {}
    for count in counts:
        with TemporaryDirectory(ignore_cleanup_errors=True) as home:
            store = SpeakerStore(home)
            store.add_people(crowd(count, embedder))
            read = lambda: store.embeddings(embedder.model_id, windows_up_to=CROWD)  # noqa: B023, E731 - in this turn
            people = read()
            names = [one.profile.name for one in people]
            voices = [one.embeddings for one in people]
            calibration = Calibration(**embedder.calibration)
            fit = lambda: Heads(names, voices, embedder.cohort, calibration)  # noqa: B023, E731 - the same
            heads = fit()
            one = Embeddings(people[0].cnn[-1:], people[0].ann[-1:])
            works = {"open": lambda: SpeakerStore(home), "read": read, "fit": fit}  # noqa: B023
            pace = interleaved(works, repeats=REPEATS)
            pace |= interleaved({"name": lambda: heads.decide(one)}, repeats=30)  # noqa: B023
        row = {}
        for what, taken in pace.items():
            row |= {f"{what}_processor_ms": 1e3 * taken.processor, f"{what}_ms": 1e3 * taken.clock}
        found[f"{count} people"] = row
    return found
