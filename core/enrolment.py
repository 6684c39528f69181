"""Enrolment: from sound to what is learned of a voice, and what keeps a wrong voice from being learned.

Nothing is stored here. What is said twice counts once (`core.repeats`), segments that are too bad are left out, more
than one voice is refused (`core.coherence`), and a voice that is enrolled already, or is not that of the person it is
said to be, is put in doubt: the caller asks, and insists or leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, concatenate
from core.coherence import SAME_PERSON, SAME_VOICE, coherence, likeness
from core.embedder import MODELS, Embedder, Embeddings, joined
from core.enrolled import Enrolled, EnrolledSegment, Profile
from core.errors import EnrolmentRefused, VoiceInDoubt
from core.names import shortened
from core.repeats import without_repeats
from core.rooms import ROOMS, in_room
from core.segments import Quality, condense_long, prepare_judged

ENROL_SECONDS = 30.0  # s of speech wanted: 6 segments
MIN_ENROL_SECONDS = 20.0  # s of speech without which an enrolment is refused
MAX_ENROL_SECONDS = 120.0  # s of speech used; more brings nothing
WINDOW_STEP_SECONDS = 2.5  # s between the overlapping windows added to train the head
CANDIDATES = 50  # people who are looked at closely when somebody may be enrolled already
SAME_SOUND = 0.99  # cosine under both models from which two segments are one recording


@dataclass(frozen=True)
class Enrolment:
    """What came of an enrolment: the person's profile, seconds of speech used (short pauses counted, as in the
    minimum), the quality of each segment, and what was left out or odd."""

    profile: Profile
    speech: float
    qualities: tuple[Quality, ...]
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """Problems found that did not prevent the enrolment, each once."""
        found = [*self.notes, *(problem for one in self.qualities for problem in one.problems())]
        if self.speech < ENROL_SECONDS:
            found.append(
                f"{self.speech:.0f} s of speech will do, {ENROL_SECONDS:.0f} s are better: add another session"
            )
        return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Speech:
    """The speech gathered to enrol with. `listened`: s of sound it was found in. `repeated`: s of speech that were
    left out because they were heard before."""

    audio: Audio
    listened: float
    repeated: float = 0.0

    @property
    def notes(self) -> list[str]:
        """What is odd about it."""
        if not self.repeated:
            return []
        return [f"{self.repeated:.0f} s repeat what was said before, the very same sound: they count once"]


@dataclass(frozen=True, eq=False)
class Learned:
    """Segments and windows of speech with their embeddings. `notes`: what was odd, and what was left out."""

    segments: tuple[EnrolledSegment, ...]
    notes: tuple[str, ...] = ()

    @property
    def embeddings(self) -> Embeddings:
        """Of the 5 s segments, windows left out."""
        return embeddings_of([one for one in self.segments if one.kind == "segment"])


def embeddings_of(segments: Sequence[EnrolledSegment]) -> Embeddings:
    """(n, D) of each model."""
    return Embeddings(np.stack([one.cnn for one in segments]), np.stack([one.ann for one in segments]))


def gather(blocks: Iterable[Audio], *, once: bool = True) -> Speech:
    """The speech in `blocks`, `MAX_ENROL_SECONDS` of it at most. `once`: without what is repeated."""
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
    speech = concatenate(parts).between(0.0, MAX_ENROL_SECONDS)
    audio, repeated = without_repeats(speech) if once else (speech, 0.0)
    return Speech(audio, heard, repeated)


def learn(speech: Speech, embedder: Embedder) -> Learned:
    """Cut `speech` into segments and overlapping windows and embed them, the windows as they would sound in each of
    `core.rooms`; those that are too bad are left out.

    Raises `EnrolmentRefused` when there is too little good speech.
    """
    audio = speech.audio
    starts = [(index * SEGMENT_SECONDS, "segment") for index in range(int(audio.duration / SEGMENT_SECONDS))]
    starts += [(start + WINDOW_STEP_SECONDS, "window") for start, _ in starts[:-1]]
    pieces = [(start, kind, *prepare_judged(audio.between(start, start + SEGMENT_SECONDS))) for start, kind in starts]
    pieces = [piece for piece in pieces if piece[2] is not None]
    poor = tuple(judged for _, kind, _, judged in pieces if kind == "segment" and judged.poor)
    pieces = [piece for piece in pieces if not piece[3].poor]
    seconds = SEGMENT_SECONDS * sum(kind == "segment" for _, kind, *_ in pieces)
    if seconds < MIN_ENROL_SECONDS:
        raise EnrolmentRefused(_too_little(speech, seconds, poor))
    pieces = [
        (start, kind, heard, judged)
        for start, kind, samples, judged in pieces
        for heard in ([samples] if kind == "segment" else [in_room(samples, room) for room in ROOMS])
    ]
    embeddings = embedder.embed([samples for _, _, samples, _ in pieces])
    segments = tuple(
        EnrolledSegment(kind, start, judged, embeddings.cnn[row], embeddings.ann[row])
        for row, (start, kind, _, judged) in enumerate(pieces)
    )
    notes = [*speech.notes]
    if poor:
        notes.append(f"{len(poor)} bad {'segment is' if len(poor) == 1 else 'segments are'} left out: {_why(poor)}")
    return Learned(segments, tuple(notes))


def _too_little(speech: Speech, seconds: float, poor: Sequence[Quality]) -> str:
    wanted = f"{ENROL_SECONDS:.0f} s are wanted, {MIN_ENROL_SECONDS:.0f} s needed: "
    listened = f"{round(speech.listened, 1):g} s of sound"
    if poor:
        return f"only {seconds:.0f} s of good speech in {listened}; {wanted}{_why(poor)}"
    found = min(speech.audio.duration, seconds + SEGMENT_SECONDS)
    if speech.repeated:
        return (
            f"only {found:.1f} s of speech in {listened} are new, {speech.repeated:.0f} s repeat the very same sound; "
            f"{wanted}give other recordings of the voice"
        )
    return (
        f"only {found:.1f} s of speech in {listened}; {wanted}go on speaking, closer to the microphone, or give a "
        "longer recording"
    )


def _why(poor: Sequence[Quality]) -> str:
    return "; ".join(dict.fromkeys(problem for one in poor for problem in one.problems()))


def check_one_voice(speech: Speech, learned: Learned, embedder: Embedder) -> None:
    """Raises `EnrolmentRefused` when more than one voice speaks."""
    audio, step = speech.audio, WINDOW_STEP_SECONDS
    pieces = (audio.between(index * step, (index + 1) * step) for index in range(int(audio.duration / step)))
    judged = [prepare_judged(piece) for piece in pieces]
    halves = embedder.embed([samples for samples, quality in judged if not quality.poor])
    if not coherence(learned.embeddings, halves, embedder.cohort).one_voice:
        raise EnrolmentRefused(
            "this does not sound like one voice: somebody else speaks in it, or the microphone or the place changed; "
            "nothing was stored. Record one person alone, in one go; add other recordings as further sessions"
        )


def check_unknown(name: str, learned: Learned, people: Sequence[Enrolled], cohort: Embeddings) -> None:
    """Raises `VoiceInDoubt` when this voice is enrolled already under another name."""
    for person in people:
        if _same_sound(learned, person):
            raise VoiceInDoubt(
                f"this very recording is enrolled already as {shortened(person.profile.name)}: "
                f"is {shortened(name)} another name for that person, or is it the wrong recording?"
            )
    other, alike = most_alike(learned.embeddings, people, cohort)
    if alike > SAME_VOICE:
        raise VoiceInDoubt(
            f"this voice sounds like {shortened(other)}, who is enrolled already: add a session to {shortened(other)}, "
            f"or say that {shortened(name)} is somebody else"
        )


def check_same_person(
    learned: Learned, name: str, people: Sequence[Enrolled], cohort: Embeddings, *, sure: bool = False
) -> None:
    """Raises `EnrolmentRefused` when this recording of `name` is there already, and unless the caller is `sure`
    `VoiceInDoubt` when it is not that person's voice. What other weights made of the person cannot be compared."""
    person = next((one for one in people if one.profile.name == name), None)
    if person is None:
        return
    if _same_sound(learned, person):
        raise EnrolmentRefused(
            f"this very recording is part of what {shortened(name)} is enrolled with already: record again, best on "
            "another day or through another microphone"
        )
    if sure:
        return
    (_, alike), (other, likest) = (
        most_alike(learned.embeddings, [person], cohort),
        most_alike(learned.embeddings, people, cohort),
    )
    if other != name and likest > SAME_VOICE:
        raise VoiceInDoubt(
            f"this sounds more like {shortened(other)} than like {shortened(name)}: is it the right one?"
        )
    if alike < SAME_PERSON:
        raise VoiceInDoubt(
            f"this does not sound like {shortened(name)}: is it the right person, or a very different microphone?"
        )


def most_alike(voice: Embeddings, people: Sequence[Enrolled], cohort: Embeddings) -> tuple[str, float]:
    """The person this voice is most like, and how much (see `core.coherence.likeness`)."""
    if not people:
        return "", -np.inf
    heard = [one.segments for one in people]
    if len(people) > CANDIDATES:  # normalising takes a sorted row of the cohort for every piece of everybody
        close = [sum(float((one.of(m) @ voice.of(m).mean(axis=0)).mean()) for m in MODELS) for one in heard]
        nearest = np.argsort(close)[-CANDIDATES:]
        people, heard = [people[index] for index in nearest], [heard[index] for index in nearest]
    similar = likeness(voice, joined(heard), cohort).mean(axis=0)
    edges = np.cumsum([0, *(len(one) for one in heard)])
    means = [similar[first:last].mean() for first, last in pairwise(edges)]
    best = int(np.argmax(means))
    return people[best].profile.name, float(means[best])


def _same_sound(learned: Learned, person: Enrolled) -> bool:
    """Are most of the segments there already?"""
    found = learned.embeddings
    closest = np.minimum(found.cnn @ person.cnn.T, found.ann @ person.ann.T).max(axis=1)
    return bool(np.mean(closest > SAME_SOUND) > 0.5)
