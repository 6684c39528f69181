"""The whole path, audio -> timeline, and enrolment; what everybody calls.

recognizer = Recognizer()
recognizer.enrol("Amina", stream("amina.wav"), consent=True)
for answer in recognizer.identify(stream("meeting.mp3")):
    print(answer)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate, resample
from core.embedder import Embedder, Embeddings
from core.errors import EnrolmentRefused
from core.heads import SILENT, Calibration, Decision, Heads
from core.segments import Quality, Segment, condense_long, cut, prepare_judged
from core.speakers import EnrolledSegment, Profile, SpeakerStore, clean_name
from core.spectrogram import spectrogram_image
from core.timeline import Answer, Timeline

ENROL_SECONDS = 30.0  # s of speech wanted: 6 segments
MIN_ENROL_SECONDS = 20.0  # s of speech without which an enrolment is refused
MAX_ENROL_SECONDS = 120.0  # s of speech used; more brings nothing
WINDOW_STEP_SECONDS = 2.5  # s between the overlapping windows added to train the head
BATCH = 8  # segments judged together in a recording


@dataclass(frozen=True)
class Enrolment:
    """What came of an enrolment: the person's profile, seconds of speech used (short pauses counted, as in the
    minimum), and the quality of each segment."""

    profile: Profile
    speech: float
    qualities: tuple[Quality, ...]

    @property
    def warnings(self) -> list[str]:
        """Problems found that did not prevent the enrolment, each once."""
        found = dict.fromkeys(problem for one in self.qualities for problem in one.problems())
        if self.speech < ENROL_SECONDS:
            found[f"{self.speech:.0f} s of speech will do, {ENROL_SECONDS:.0f} s are better: add another session"] = (
                None
            )
        return list(found)


class Recognizer:
    """Store, networks and heads together. Safe to share between threads; heads follow every change of the store,
    also one made by another process."""

    def __init__(self, home: str | os.PathLike | None = None, *, embedder: Embedder | None = None):
        """`home`: folder of the speaker store, see `core.database.home_folder`. `embedder`: None loads `pretrained/`.

        Raises `StoreError` and `ModelError`.
        """
        self.store = SpeakerStore(home)
        self.embedder = embedder or Embedder()
        self._calibration = Calibration(**self.embedder.calibration)
        self._lock = threading.Lock()
        self._heads: Heads | None = None
        self._revision = -1

    @property
    def model_id(self) -> str:
        """Identity of the pair of networks in use."""
        return self.embedder.model_id

    def heads(self) -> Heads:
        """Heads of the people enrolled now; refitted when the store has changed."""
        with self._lock:
            revision = self.store.revision()
            if self._heads is None or revision != self._revision:
                people = self.store.embeddings(self.model_id)
                self._heads = Heads(
                    [person.profile.name for person in people],
                    [Embeddings(person.cnn, person.ann) for person in people],
                    self.embedder.cohort,
                    self._calibration,
                )
                self._revision = revision
            return self._heads

    def enrol(
        self, name: str, sound: Audio | Iterable[Audio], *, consent: bool, source: str = "file", again: bool = False
    ) -> Enrolment:
        """Learn a person from 30 s of speech (20 s at least, 120 s at most are used). All or nothing.

        `sound`: whole, or in blocks of 16 kHz as `core.audio.stream` gives them. `again`: add a session to a person
        who is enrolled. Raises `EnrolmentRefused` with what was found, `InvalidName`, `DuplicateName`,
        `UnknownSpeaker`, `StoreError`.
        """
        name = clean_name(name)
        segments = self.enrolment_segments(_blocks(sound))
        add = self.store.add_session if again else self.store.add
        profile = add(name, segments=segments, model_id=self.model_id, source=source, consent=consent)
        qualities = tuple(segment.quality for segment in segments if segment.kind == "segment")
        return Enrolment(profile, SEGMENT_SECONDS * len(qualities), qualities)

    def enrolment_segments(self, blocks: Iterable[Audio]) -> list[EnrolledSegment]:
        """Sound -> segments and overlapping windows with their embeddings; nothing is stored.

        Raises `EnrolmentRefused` when there is too little speech.
        """
        speech, heard = _gathered(blocks)
        starts = [(index * SEGMENT_SECONDS, "segment") for index in range(int(speech.duration / SEGMENT_SECONDS))]
        starts += [(start + WINDOW_STEP_SECONDS, "window") for start, _ in starts[:-1]]
        pieces = [
            (start, kind, *prepare_judged(speech.between(start, start + SEGMENT_SECONDS))) for start, kind in starts
        ]
        pieces = [piece for piece in pieces if piece[2] is not None]
        seconds = SEGMENT_SECONDS * sum(kind == "segment" for _, kind, *_ in pieces)
        if seconds < MIN_ENROL_SECONDS:
            raise EnrolmentRefused(
                f"only {min(speech.duration, seconds + SEGMENT_SECONDS):.1f} s of speech "
                f"in {round(heard, 1):g} s of sound; "
                f"{ENROL_SECONDS:.0f} s are wanted, {MIN_ENROL_SECONDS:.0f} s needed: go on speaking, closer to the "
                "microphone, or give a longer recording"
            )
        embeddings = self.embedder.embed([samples for _, _, samples, _ in pieces])
        return [
            EnrolledSegment(kind, start, judged, embeddings.cnn[row], embeddings.ann[row])
            for row, (start, kind, _, judged) in enumerate(pieces)
        ]

    def judge(self, sound: Audio, *, at: float = 0.0) -> Answer:
        """One segment (5 s or less; what live use judges every second), which began at `at` seconds."""
        return self._judged([(Segment(at, at + sound.duration), resample(sound))])[0]

    def identify(self, sound: Audio | Iterable[Audio]) -> Iterator[Answer]:
        """Answers for a whole recording, 5 s each, as they are made; memory stays bounded."""
        segments = cut(_blocks(sound))
        while batch := list(islice(segments, BATCH)):
            yield from self._judged(batch)

    def timeline(self, sound: Audio | Iterable[Audio], *, source: str = "audio") -> Timeline:
        """`identify` as one value with turns and exports."""
        return Timeline(source, self.model_id, tuple(self.identify(sound)))

    def image(self, sound: Audio) -> np.ndarray | None:
        """What the CNN sees of a segment: uint8 (BANDS, FRAMES), row 0 = lowest band; None without enough speech."""
        samples, _ = prepare_judged(resample(sound))
        return None if samples is None else spectrogram_image(samples)

    def _judged(self, batch: list[tuple[Segment, Audio]]) -> list[Answer]:
        prepared = [prepare_judged(audio) for _, audio in batch]
        speaking = [samples for samples, _ in prepared if samples is not None]
        decisions = iter(self.heads().decide(self.embedder.embed(speaking)) if speaking else [])
        return [
            Answer(span, judged, **(_SILENCE if samples is None else next(decisions)))
            for (span, _), (samples, judged) in zip(batch, prepared, strict=True)
        ]


_SILENCE: dict[str, Decision] = {"cnn": SILENT, "ann": SILENT, "both": SILENT}


def _blocks(sound: Audio | Iterable[Audio]) -> Iterable[Audio]:
    """Sound as blocks of 16 kHz; what is whole is resampled where it must be."""
    return [resample(sound)] if isinstance(sound, Audio) else sound


def _gathered(blocks: Iterable[Audio]) -> tuple[Audio, float]:
    """The speech in `blocks`, `MAX_ENROL_SECONDS` of it at most, and how many seconds were listened to."""
    heard, parts, total = 0.0, [], 0.0

    def counted() -> Iterator[Audio]:
        nonlocal heard
        for block in blocks:
            heard += block.duration
            yield block

    for part in condense_long(counted()):
        parts.append(part)
        total += part.duration
        if total >= MAX_ENROL_SECONDS:
            break
    return concatenate(parts), heard
