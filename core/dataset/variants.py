"""Variants of a dataset's training voices: other speeds as other voices, rooms, and what was too loud.

DIR/variants/<speaker>.npz        images uint8 (n, BANDS, FRAMES); speed float32 (n,); room bool (n,)
DIR/variants/<speaker>.more.npz   the same at `MORE_SPEEDS`, where they were asked for
DIR/variants/<speaker>.rows.npz   feature rows float32 (n, columns), as recorded and of augmented copies; speed (n,)
DIR/variants/<speaker>.more.rows.npz   the same at `MORE_SPEEDS`
                                  each with a fingerprint of what it was made of: of anything else it is made anew

A voice played faster or slower has another pitch and another vocal tract: to training it is one more speaker
(Yamamoto et al. 2019, "Speaker augmentation and bandwidth extension for deep speaker embedding"). A room is what
cannot be made well from an image: reverberation is convolution of the waveform (`core.augment.room_response`). Some
are cut off at the loudest samples in the place of that (`core.augment.overdriven`), which an image cannot show either.
Not imported by the app.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, SEGMENT_SECONDS, Audio, concatenate, resample
from core.dataset.babble import Talkers, heard_behind, talkers_among
from core.dataset.build import Task, set_apart, sound_of, write_whole
from core.dataset.fingerprint import fingerprint, names_in
from core.dataset.workers import processes
from core.errors import AudioError, SourceError
from core.segments import normalise, prepare, speech_segments
from core.spectrogram import BANDS, FRAMES, spectrogram_image

SPEEDS = (0.88, 1.0, 1.14)  # factors; each but 1 makes a new voice
MORE_SPEEDS = (0.82, 0.94, 1.07, 1.22)  # between and beyond: for students of a teacher, which hears what is near whom
ROOM_EVERY = 2  # of so many segments one is heard in a room too
OVERDRIVEN = 0.25  # of those: the share that is overdriven in the place of the room
Heard = Callable[[Task, float], Iterable[np.ndarray]]  # a speaker's clips at a speed, as `clips` gives them


@dataclass(frozen=True, eq=False)
class Variants:
    """`images` uint8 (n, BANDS, FRAMES), each with its `speed` (n,) and whether it was heard in a `room` (n,), or
    overdriven."""

    images: np.ndarray
    speed: np.ndarray
    room: np.ndarray


def clips(task: Task, speed: float) -> Iterator[np.ndarray]:
    """The prepared training segments of a speaker, heard `speed` times as fast: float32 (SEGMENT_SAMPLES,) each.

    What cannot be read is passed over: `core.dataset.build` has named it.
    """
    for recording in task.recordings:
        if set_apart(recording, task):
            continue
        try:
            sound = concatenate(list(sound_of(recording)))
        except (AudioError, SourceError):
            continue
        if speed != 1.0:
            sound = resample(Audio(sound.samples, round(SAMPLE_RATE * speed)))
        for span, audio in speech_segments([sound]):
            if span.duration >= SEGMENT_SECONDS / 2 and (samples := prepare(audio)) is not None:
                yield samples


def named(speaker: str, speeds: Sequence[float] = SPEEDS) -> str:
    """The file of a speaker at `speeds`: those are `SPEEDS` or `MORE_SPEEDS`."""
    return f"{speaker}.more.npz" if speeds == MORE_SPEEDS else f"{speaker}.npz"


def rows_named(speaker: str, speeds: Sequence[float] = SPEEDS) -> str:
    """The file of a speaker's feature rows at `speeds`."""
    return f"{named(speaker, speeds).removesuffix('.npz')}.rows.npz"


def made_of(task: Task, *settings: object) -> str:
    """A hash of the training recordings of a speaker and of how they are used."""
    return fingerprint([one for one in task.recordings if not set_apart(one, task)], *settings)


def is_of(path: Path, made: str) -> bool:
    """Is the file there, and was it made of that? One that does not say (made before it could) is taken as it is."""
    if not path.is_file():
        return False
    with np.load(path, allow_pickle=False) as file:
        return "made_of" not in file or str(file["made_of"]) == made


def make(
    task: Task, folder: Path, rooms: Path | None, heard: Heard = clips, *, speeds: Sequence[float] = SPEEDS
) -> int:
    """One speaker's variants, whole or not at all; what is there is not made again. Returns the number of images.

    `rooms`: folder of measured impulse responses, mixed with simulated ones. `heard` gives the speaker's clips at a
    speed.
    """
    from core.augment import overdriven, reverberant

    def elsewhere(samples: np.ndarray) -> np.ndarray:
        heard = overdriven(samples, chance) if chance.random() < OVERDRIVEN else reverberant(samples, chance, rooms)
        return normalise(heard)

    target, made = folder / "variants" / named(task.speaker, speeds), made_of(task, speeds, names_in(rooms))
    if is_of(target, made):
        return len(read(target).images)
    chance = np.random.default_rng(zlib.crc32(target.stem.encode()))
    images, at_speed, in_room = [], [], []
    for speed in speeds:
        for index, samples in enumerate(heard(task, speed)):
            kept = [] if speed == 1.0 else [samples]  # at speed 1 that is the dataset's own image
            if index % ROOM_EVERY == 0:
                kept.append(elsewhere(samples))
            images += [spectrogram_image(one) for one in kept]
            at_speed += [speed] * len(kept)
            in_room += [one is not samples for one in kept]
    content = io.BytesIO()
    np.savez(
        content,
        images=np.array(images, np.uint8).reshape(-1, BANDS, FRAMES),
        speed=np.array(at_speed, np.float32),
        room=np.array(in_room, bool),
        made_of=made,
    )
    write_whole(target, content.getvalue())
    return len(images)


def make_rows(
    task: Task,
    folder: Path,
    rooms: Path | None,
    copies: int,
    heard: Heard = clips,
    *,
    talkers: Talkers = (),
    speeds: Sequence[float] = SPEEDS,
) -> int:
    """The feature rows of one speaker's training segments: of the sound as it is, and of `copies` copies through
    simulated microphones, rooms and babble of the `talkers`, half as many at another speed. Whole or not at all;
    returns how many. `heard` gives the speaker's clips at a speed."""
    from core.augment import WaveformAugmenter, noise_in
    from core.spectral import COLUMNS, feature_row

    target = folder / "variants" / rows_named(task.speaker, speeds)
    made = made_of(task, speeds, names_in(rooms), names_in(task.noise), copies, *_names(talkers))
    if is_of(target, made):
        return len(read_rows(target)[1])
    augmenter = WaveformAugmenter(noise_in(task.noise), rooms=rooms, talkers=heard_behind(task.speaker, talkers))
    kind = "rows" if speeds == SPEEDS else "more rows"
    chance = np.random.default_rng(zlib.crc32(f"{task.speaker} {kind}".encode()))
    rows, at_speed = [], []
    for speed in speeds:
        for samples in heard(task, speed):
            versions = [samples] if speed == 1.0 else []
            versions += [augmenter(samples, chance) for _ in range(copies if speed == 1.0 else (copies + 1) // 2)]
            rows += [feature_row(one) for one in versions]
            at_speed += [speed] * len(versions)
    content = io.BytesIO()
    table = np.array(rows, np.float32).reshape(-1, len(COLUMNS))
    np.savez(content, rows=table, speed=np.array(at_speed, np.float32), made_of=made)
    write_whole(target, content.getvalue())
    return len(rows)


def read_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What `make_rows` wrote: rows (n, columns), speed (n,)."""
    with np.load(path, allow_pickle=False) as file:
        return file["rows"], file["speed"]


def read(path: Path) -> Variants:
    """What `make` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return Variants(file["images"], file["speed"], file["room"])


def talkers_of(tasks: Iterable[Task]) -> Talkers:
    """Who may babble behind copies of these speakers: some of them, in what they are trained on."""
    training = {task.speaker: [one for one in task.recordings if not set_apart(one, task)] for task in tasks}
    return talkers_among({name: recordings for name, recordings in training.items() if recordings})


def _names(talkers: Talkers) -> list[list[str]]:
    """As part of a fingerprint; nothing without talkers."""
    return [[name for name, _ in talkers]] if talkers else []


def make_all(
    tasks: list[Task], folder: Path, *, rooms: Path | None, copies: int = 0, workers: int = 1
) -> Iterator[int]:
    """The image variants of all speakers with training sound, or with `copies` their feature rows, in a process pool;
    yields a number per task."""
    work = (
        partial(make_rows, folder=folder, rooms=rooms, copies=copies, talkers=talkers_of(tasks))
        if copies
        else partial(make, folder=folder, rooms=rooms)
    )
    with processes(workers) as pool:
        yield from pool.map(work, tasks, chunksize=4)
