"""The evaluation protocol: who enrols with what, and what they are tested on.

    DIR/<speaker>/<session>/<utterance files>      a session is one recording, in one file or many
    DIR/<speaker>/<file>                           or: every file is a session

All in name order. The first 30 s of speech of the first session enrol, made by the product's own
`Recognizer.enrolment_segments` (6 segments and the windows between them). A first session with less than the 20 s of
speech that the product asks for is continued by the next ones. Sessions that did not enrol are the tests; where there
is none, the rest of the last one that did, from the next 10 s of sound on. No test shares sound with an enrolment, but
those share a recording (`Subject.same_recording`), which flatters, so that `core.evaluation.measure` takes them for
strangers' tests only. A test is 5 s of speech (`core.segments.speech_segments`), prepared as in live use
(`core.segments.prepare`).
Not imported by the app.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SECONDS, Audio, concatenate, stream
from core.calibration import NEUTRAL
from core.channels import Surroundings, apply
from core.dataset.recordings import EXTENSIONS
from core.embedder import Embeddings
from core.enrolment import MAX_ENROL_SECONDS, MIN_ENROL_SECONDS
from core.errors import AudioError, DatasetError, EnrolmentRefused
from core.recognizer import Recognizer
from core.segments import CONDENSE_BLOCK_SECONDS, condense_long, fit, normalise, prepare, speech_segments

ENROL_SECONDS = 30.0  # s of speech that enrol
TEST_LIMIT = 30  # tests of one speaker, spread evenly, so that nobody outweighs the others
MAX_SESSION_SECONDS = 900.0  # s of one session that are read
BABBLE_SECONDS = 60.0  # s of each speaker's test sound kept as a voice for babble


@dataclass(frozen=True)
class Session:
    """One recording: its files in name order."""

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Person:
    """A speaker and their sessions in name order."""

    name: str
    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class Rest:
    """What a speaker is tested on: a session, from `start` seconds of sound on."""

    session: Session
    start: float = 0.0


@dataclass(frozen=True, eq=False)
class Subject:
    """A speaker who could be enrolled. `voice`: some of their test sound, for the babble behind others.
    `same_recording`: are the tests of the recording that enrols, there being no other?"""

    name: str
    rests: tuple[Rest, ...]
    voice: Audio
    same_recording: bool = False


@dataclass(frozen=True, eq=False)
class EnrolmentClips:
    """Prepared sound that enrols: `segments` float32 (n, 80000), and the windows between them as they sound in each of
    `core.rooms`, `windows` ((n - 1) * rooms, 80000)."""

    segments: np.ndarray
    windows: np.ndarray


def find_people(folder: Path) -> list[Person]:
    """The speakers of an evaluation folder. Raises `DatasetError` when there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder: give one that holds a folder of recordings per speaker")
    people = [Person(path.name, _sessions(path)) for path in _entries(folder) if path.is_dir()]
    people = [person for person in people if person.sessions]
    if not people:
        raise DatasetError(
            f"no recordings in {folder}: <speaker>/<file> or <speaker>/<session>/<file> is needed, WAV, MP3 ..."
        )
    return people


def _sessions(folder: Path) -> tuple[Session, ...]:
    found = []
    for path in _entries(folder):
        files = sorted(file for file in path.rglob("*") if _is_audio(file)) if path.is_dir() else [path]
        if any(_is_audio(file) for file in files):
            found.append(Session(path.name, tuple(files)))
    return tuple(found)


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_audio(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def read(session: Session, trouble: list[str]) -> Audio:
    """The session's sound at 16 kHz, `MAX_SESSION_SECONDS` of it at most. Files that cannot be read are left out and
    named in `trouble`."""
    parts, seconds = [], 0.0
    for file in session.files:
        try:
            for block in stream(file):
                parts.append(block)
                seconds += block.duration
                if seconds >= MAX_SESSION_SECONDS:
                    return concatenate(parts).between(0.0, MAX_SESSION_SECONDS)
        except AudioError as error:
            line = f"{file.parent.name}/{file.name}: {error}"
            if line not in trouble:
                trouble.append(line)
    return concatenate(parts)


def enrolments(
    people: Iterable[Person], *, seconds: float = ENROL_SECONDS, trouble: list[str]
) -> Iterator[tuple[Subject, EnrolmentClips]]:
    """Every speaker with enough speech, enrolled with the first `seconds` of it; the others are named in `trouble`.

    Raises `DatasetError` for `seconds` with which the app does not enrol.
    """
    if not SEGMENT_SECONDS <= seconds <= MAX_ENROL_SECONDS:
        raise DatasetError(f"{seconds:g} s of enrolment: {SEGMENT_SECONDS:g} to {MAX_ENROL_SECONDS:g} s are possible")
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        recognizer = Recognizer(home, embedder=_Unembedded())
        for person in people:
            used, rests = _shared_out(person, seconds, trouble)
            try:
                made = recognizer.enrolment_segments(used)
            except EnrolmentRefused as error:
                trouble.append(f"{person.name} is left out: {error}")
                continue
            made = [one for one in made if one.start + SEGMENT_SECONDS <= seconds + 1e-6]
            segments, windows = (
                np.array([one.cnn for one in made if one.kind == kind], np.float32).reshape(-1, len(made[0].cnn))
                for kind in ("segment", "window")
            )
            voice = read(rests[0].session, trouble).between(rests[0].start, rests[0].start + BABBLE_SECONDS)
            subject = Subject(person.name, rests, voice, same_recording=rests[0].start > 0.0)
            yield subject, EnrolmentClips(segments, windows)


class _Unembedded:
    """An embedder that hands prepared segments through: every network then gets the clips the product would enrol."""

    calibration = asdict(NEUTRAL)

    def embed(self, samples: list[np.ndarray]) -> Embeddings:
        return Embeddings(np.stack(samples), np.zeros((len(samples), 0), np.float32))


def _shared_out(person: Person, seconds: float, trouble: list[str]) -> tuple[list[Audio], tuple[Rest, ...]]:
    """The sound a speaker enrols with, one piece per session, and what is left for the tests."""
    used: list[Audio] = []
    wanted, found, end = max(seconds, MIN_ENROL_SECONDS), 0.0, 0.0
    for session in person.sessions:
        sound = read(session, trouble)
        end, speech = _until(sound, wanted - found)
        used.append(sound.between(0.0, end))
        found += speech
        if found >= MIN_ENROL_SECONDS:
            break
    others = tuple(Rest(other) for other in person.sessions[len(used) :])
    return used, others or (Rest(person.sessions[-1], end),)


def _until(sound: Audio, wanted: float) -> tuple[float, float]:
    """Where in `sound` (s, a multiple of 10 s or its end) `wanted` seconds of speech are complete; seconds found."""
    step = round(CONDENSE_BLOCK_SECONDS * SAMPLE_RATE)
    found = 0.0
    for start in range(0, len(sound), step):
        block = Audio(sound.samples[start : start + step])
        found += sum(part.duration for part in condense_long([block]))
        if found >= wanted:
            return (start + len(block)) / SAMPLE_RATE, found
    return sound.duration, found


def pieces_through(
    subject: Subject, channel: str, *, seed: int, around: Surroundings, limit: int = TEST_LIMIT, trouble: list[str]
) -> tuple[list[Audio], int]:
    """The speaker's tests through a channel, 5 s of speech each; and how many fewer there are than of the clean sound,
    because the channel left too little speech for a decision.

    At most `limit` (0: all), spread evenly over the sessions. Noise depends on seed, channel, speaker and session only.
    """
    kept, clean = [], 0
    for rest in subject.rests:
        sound = read(rest.session, trouble)
        sound = sound.between(rest.start, sound.duration)
        key = zlib.crc32(f"{channel}/{subject.name}/{rest.session.name}".encode())
        heard = apply(channel, sound, chance=np.random.default_rng([seed, key]), around=around)
        clean += len(_whole_segments(sound))
        kept += _whole_segments(heard)
    silent = max(0, clean - len(kept))
    if limit and len(kept) > limit:
        kept = [kept[index] for index in np.linspace(0, len(kept) - 1, limit).round().astype(int)]
    return kept, silent


def _whole_segments(sound: Audio) -> list[Audio]:
    """5 s of speech each, enough for a decision."""
    whole = [piece for span, piece in speech_segments([sound]) if span.duration >= SEGMENT_SECONDS - 1e-6]
    pieces = [piece.between(0.0, SEGMENT_SECONDS) for piece in whole]
    return [piece for piece in pieces if prepare(piece) is not None]


def prepared(piece: Audio, seconds: float = SEGMENT_SECONDS) -> np.ndarray:
    """What the networks get of a test when only its first `seconds` are heard: float32 (80000,).

    5 s go through `prepare`; shorter ones are levelled and repeated without asking whether they hold the second of
    speech that the app wants before it answers at all.
    """
    if seconds >= SEGMENT_SECONDS:
        samples = prepare(piece)
        if samples is None:
            raise ValueError("a test without enough speech: take them from `pieces_through`")
        return samples
    return fit(normalise(piece.between(0.0, seconds).samples))


def around(subject: Subject, subjects: Sequence[Subject], noise: Sequence[Path]) -> Surroundings:
    """What sounds around a speaker: files of noise, and the voices of all the others."""
    return Surroundings(tuple(noise), [other.voice for other in subjects if other is not subject])
