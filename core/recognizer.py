"""The whole path, audio -> timeline, and enrolment; what everybody calls.

recognizer = Recognizer()
recognizer.enrol("Amina", stream("amina.wav"), consent=True)
for answer in recognizer.identify(stream("meeting.mp3")):
    print(answer)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SECONDS, Audio, decode, resample, stream, to_flac
from core.embedder import MODELS, Embedder, Embeddings
from core.enrolled import EnrolledSegment, PersonRecord, Profile
from core.enrolment import (
    Enrolment,
    Speech,
    check_one_voice,
    check_same_person,
    check_unknown,
    gather,
    learn,
    most_alike,
)
from core.errors import AudioError, EnrolmentRefused, StoreError
from core.heads import CROWD, SILENT, Calibration, Decision, Heads
from core.names import shortened
from core.segments import Segment, cut, prepare_judged
from core.self_check import SessionGain, Trial, left_out, session_gains
from core.side_by_side import side_by_side
from core.speakers import SpeakerStore
from core.spectrogram import spectrogram_image
from core.timeline import Answer, Timeline

Sound = Audio | Iterable[Audio] | str | os.PathLike  # whole, in blocks of 16 kHz, or a file

BATCH = 4  # segments judged together in a recording; several batches at a time
MAX_PEAK = 100.0  # of samples that can be sound: beyond are integers that were not scaled, and what is no number
TURN_SECONDS = 2.0  # s at the end of what is heard live that tell of a change of speaker ...
TURN_PROBABILITY = 0.8  # ... where they name somebody else who is at least that probable: 0.5 costs errors, 0.9 time


class Recognizer:
    """Store, networks and heads together. Safe to share between threads; heads follow every change of the store,
    also one made by another process."""

    def __init__(self, home: str | os.PathLike | None = None, *, embedder: Embedder | None = None):
        """`home`: folder of the speaker store, see `core.database.home_folder`. `embedder`: None loads `pretrained/`.

        Raises `StoreError` and `ModelError`.
        """
        self.embedder = embedder or Embedder()  # first: the store's notice would be lost with an error
        self.store = SpeakerStore(home)
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
                people = self.store.embeddings(self.model_id, windows_up_to=CROWD)
                self._heads = Heads(
                    [person.profile.name for person in people],
                    [person.embeddings for person in people],
                    self.embedder.cohort,
                    self._calibration,
                    sureness=self.store.sureness() or 0.0,
                )
                self._revision = revision
            return self._heads

    def enrol(
        self,
        name: str,
        sound: Sound,
        *,
        consent: bool,
        source: str = "file",
        again: bool = False,
        sure: bool = False,
        keep_audio: bool = False,
        notes: Iterable[str] = (),
    ) -> Enrolment:
        """Learn a person from 30 s of speech (20 s at least, 120 s at most are used). All or nothing.

        `sound`: whole, in blocks of 16 kHz as `core.audio.stream` gives them, or a file. `again`: add a session
        to a person who is enrolled. `sure`: the caller knows that it is the right voice, whatever it sounds
        like. `keep_audio`: the person wishes the speech to be kept, so that other weights can learn it anew.
        `notes`: what was odd about the source, kept with the session. Raises `EnrolmentRefused` with what was
        found, `VoiceInDoubt` (ask, then insist with `sure`), `InvalidName`, `DuplicateName`, `UnknownSpeaker`,
        `StoreError`.
        """
        name = self.store.get(name).name if again else self.store.free_name(name)
        speech = gather(_blocks(sound))
        learned = learn(speech, self.embedder)
        check_one_voice(speech, learned, self.embedder)
        people, cohort = self.store.embeddings(self.model_id, windows_up_to=0), self.embedder.cohort
        if again:
            check_same_person(learned, name, people, cohort, sure=sure)
        elif not sure:
            check_unknown(name, learned, people, cohort)
        notes = (*notes, *learned.notes)
        profile = (self.store.add_session if again else self.store.add)(
            name,
            segments=learned.segments,
            model_id=self.model_id,
            source=source,
            consent=consent,
            remark="; ".join(notes),
            flac=to_flac(speech.audio) if keep_audio else None,
        )
        qualities = tuple(segment.quality for segment in learned.segments if segment.kind == "segment")
        return Enrolment(profile, SEGMENT_SECONDS * len(qualities), qualities, notes)

    def add_people(self, people: Sequence[PersonRecord], *, replace: Iterable[str] = ()) -> list[Profile]:
        """Take up people of a file (`SpeakerStore.add_people`). Raises `StoreError`, also as `check_people`."""
        self.check_people(people)
        return self.store.add_people(people, replace=replace)

    def check_people(self, people: Iterable[PersonRecord]) -> None:
        """Raises `StoreError` for somebody whose embeddings cannot be of the weights that they are said to be of."""
        wanted = tuple(self.embedder.cohort.of(model).shape[1] for model in MODELS)
        for person in people:
            mine = (session for session in person.sessions if session.model_id == self.model_id)
            for found in ((len(one.cnn), len(one.ann)) for session in mine for one in session.segments):
                if found != wanted:
                    raise StoreError(
                        f"{person.name} has embeddings of {found} values under model {self.model_id}, which makes "
                        f"{wanted}: the file was changed, or not made by this program"
                    )

    def enrolment_segments(self, blocks: Iterable[Audio]) -> list[EnrolledSegment]:
        """Sound -> segments and overlapping windows with their embeddings; nothing is stored or compared.

        Raises `EnrolmentRefused` when there is too little speech.
        """
        return list(learn(gather(blocks, once=False), self.embedder).segments)

    def renew(self, name: str) -> int:
        """Learn a person anew from the speech that was kept, where other weights made what is there; how many sessions.

        Raises `EnrolmentRefused` when no speech was kept, `UnknownSpeaker`, `StoreError`.
        """
        old = [session for session in self.store.sessions(name) if session.model_id != self.model_id]
        kept = self.store.recordings(name)
        if old and not any(session.id in kept for session in old):
            raise EnrolmentRefused(
                f"the speech of {shortened(name)} was not kept, so these weights cannot learn it anew: add a session"
            )
        renewed = [session for session in old if session.id in kept]
        for session in renewed:
            learned = learn(Speech(decode(kept[session.id]), 0.0), self.embedder)
            self.store.renew_session(session.id, segments=learned.segments, model_id=self.model_id)
        return len(renewed)

    def self_check(
        self, *, of: str | None = None, progress: Callable[[float], None] = lambda done: None
    ) -> list[Trial]:
        """The people enrolled, told apart and kept from strangers on themselves, see `core.self_check`. `of`: only the
        segments of this person."""
        people = self.store.embeddings(self.model_id)
        asked = {"of": of, "sureness": self.store.sureness() or 0.0, "progress": progress}
        return left_out(people, self.embedder.cohort, self._calibration, **asked) if people else []

    def session_gains(self, name: str, *, progress: Callable[[float], None] = lambda done: None) -> list[SessionGain]:
        """What each session of a person brings; [] where there is one only. Raises `UnknownSpeaker`."""
        name, people = self.store.get(name).name, self.store.embeddings(self.model_id)
        asked = {"sureness": self.store.sureness() or 0.0, "progress": progress}
        return session_gains(name, people, self.embedder.cohort, self._calibration, **asked)

    def nearest(self, name: str) -> tuple[str, float] | None:
        """Who else enrolled sounds most like a person, and how much (`core.coherence.likeness`; above `SAME_VOICE` they
        may be one). None where nobody else is enrolled with these weights. Raises `UnknownSpeaker`."""
        name, people = self.store.get(name).name, self.store.embeddings(self.model_id, windows_up_to=0)
        person = next((one for one in people if one.profile.name == name), None)
        others = [one for one in people if one is not person]
        return most_alike(person.segments, others, self.embedder.cohort) if person is not None and others else None

    def judge(self, sound: Audio, *, at: float = 0.0) -> Answer:
        """One segment (5 s or less; what live use judges every second), which began at `at` seconds."""
        return self._judged([(Segment(at, at + sound.duration), resample(_finite(sound)))])[0]

    def latest(self, sound: Audio, *, at: float = 0.0) -> tuple[Answer, np.ndarray | None]:
        """What live use shows of the last 5 s, which began at `at`, and what the CNN saw: uint8 (BANDS, FRAMES),
        None without enough speech.

        After a change of speaker these are two voices. So their last `TURN_SECONDS` are judged as well: where they name
        another person, those decisions count.
        """
        sound = resample(_finite(sound))
        pieces = [sound, sound.between(sound.duration - TURN_SECONDS, sound.duration)]
        prepared = [prepare_judged(piece) for piece in pieces[: 1 + (sound.duration > TURN_SECONDS)]]
        speaking = [samples for samples, _ in prepared if samples is not None]
        images = self.embedder.images(speaking)
        span, judged = Segment(at, at + sound.duration), prepared[0][1]
        if prepared[0][0] is None:
            return Answer(span, judged, **_SILENCE), None
        embedded = Embeddings(
            self.embedder.embed_images(images), self.embedder.embed_rows(self.embedder.rows(speaking))
        )
        whole, *turn = self.heads().decide(embedded)
        if turn and takes_over(turn[0]["both"], whole["both"]):
            whole = turn[0]
        return Answer(span, judged, **whole), images[0]

    def identify(self, sound: Sound) -> Iterator[Answer]:
        """Answers for a whole recording, 5 s each, as they are made, on all cores; memory stays bounded."""
        segments = cut(_blocks(sound))
        batches = iter(lambda: list(islice(segments, BATCH)), [])
        for answers in side_by_side(self._judged, batches):
            yield from answers

    def timeline(self, sound: Sound, *, source: str = "audio") -> Timeline:
        """`identify` as one value with turns and exports."""
        return Timeline(source, self.model_id, tuple(self.identify(sound)))

    def image(self, sound: Audio) -> np.ndarray | None:
        """What the CNN sees of a segment: uint8 (BANDS, FRAMES), row 0 = lowest band; None without enough speech."""
        samples, _ = prepare_judged(resample(_finite(sound)))
        return None if samples is None else spectrogram_image(samples)

    def _judged(self, batch: list[tuple[Segment, Audio]]) -> list[Answer]:
        prepared = [prepare_judged(audio) for _, audio in batch]
        speaking = [samples for samples, _ in prepared if samples is not None]
        decisions = iter(self.heads().decide(self.embedder.embed(speaking)) if speaking else [])
        return [
            Answer(span, judged, **(_SILENCE if samples is None else next(decisions)))
            for (span, _), (samples, judged) in zip(batch, prepared, strict=True)
        ]


def takes_over(turn: Decision, whole: Decision) -> bool:
    """Do the last `TURN_SECONDS` tell of a change of speaker? Unknown does not: it is said of many after so little."""
    return turn.is_person and turn.name != whole.name and turn.probability >= TURN_PROBABILITY


_SILENCE: dict[str, Decision] = {"cnn": SILENT, "ann": SILENT, "both": SILENT}


def _blocks(sound: Sound) -> Iterable[Audio]:
    """Sound as blocks of 16 kHz; what is whole is resampled where it must be, a file is read."""
    if isinstance(sound, str | os.PathLike):
        return stream(sound)
    if isinstance(sound, Audio):
        return [resample(_finite(sound))]
    if isinstance(sound, np.ndarray | bytes) or not isinstance(sound, Iterable):
        raise AudioError(f"{type(sound).__name__} is no sound: give a path, core.audio.Audio with its rate, or blocks")
    return map(_block, sound)


def _block(sound: Audio) -> Audio:
    """Raises `AudioError` for what is no block of 16 kHz: another rate would be another voice."""
    if not isinstance(sound, Audio):
        raise AudioError(f"a block of sound is {type(sound).__name__}: core.audio.Audio with its rate is needed")
    if sound.rate != SAMPLE_RATE:
        raise AudioError(f"a block of sound has {sound.rate:g} Hz, {SAMPLE_RATE} are needed: see core.audio.resample")
    return _finite(sound)


def _finite(sound: Audio) -> Audio:
    """Raises `AudioError` for samples that are no numbers, or were never scaled."""
    peak = float(np.abs(sound.samples).max(initial=0.0))
    if not peak <= MAX_PEAK:
        raise AudioError(f"the sound has samples of {peak:g}, in [-1, 1] they are needed: see core.audio.to_mono")
    return sound
