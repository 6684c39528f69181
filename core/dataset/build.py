"""Recordings -> the dataset: segments, spectrogram images, feature rows.

One task per speaker, independent of every other; each leaves its rows in `DIR/parts/`, whole or not at all, so a run
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import csv
import io
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, stream
from core.dataset.fingerprint import fingerprint, names_in
from core.dataset.manifest import Row, short_name, write_rows
from core.dataset.part import PartWriter, forget, relicense, rows_of, skipped_in
from core.dataset.recordings import EXTENSIONS, Recording, audio_files, find_speakers, unique
from core.dataset.storage import Storage
from core.dataset.workers import one_thread, run
from core.errors import AudioError, DatasetError, DecodeError, SourceError
from core.segments import prepare, speech_segments
from core.sources.file import blocks

__all__ = [
    "EXTENSIONS",
    "Recording",
    "Task",
    "audio_files",
    "build",
    "build_speaker",
    "find_speakers",
    "join",
    "plan",
    "write_whole",
]

MIN_FREE_BYTES = 200_000_000  # bytes of disk below which a build stops before it fills the disk
SPLITS_BY = ("book", "session", "segment", "speaker")


@dataclass(frozen=True)
class Task:
    """One speaker to be built."""

    speaker: str
    recordings: tuple[Recording, ...]
    validation_sessions: frozenset[str]
    validation_share: float
    seed: int
    copies: int
    noise: Path | None
    shards: bool = False


def plan(
    speakers: dict[str, tuple[Recording, ...]],
    *,
    split: str = "session",
    validation: float = 0.3,
    seed: int = 0,
    copies: int = 0,
    noise: Path | None = None,
    shards: bool = False,
) -> list[Task]:
    """Tasks with the split decided: `segment` (the original's), `session` or `book` (whole recordings), `speaker`.

    With `speaker`, one at least validates, where there are two and a share is wanted. With `session`, a speaker of one
    recording goes to training whole; with `book`, a speaker of one book gives whole files of it to validation. A split
    that the recordings bring along stands. What is drawn for a speaker depends on the seed and the speaker's name, so
    that another speaker more or less changes nothing for the rest.
    """
    names = sorted(speakers)
    some = max(1, round(validation * len(names))) if validation and len(names) > 1 else 0
    held = set(random.Random(seed).sample(names, some)) if split == "speaker" else set()
    tasks = []
    for name in names:
        chance = random.Random(f"{seed} {name}")
        recordings = speakers[name]
        sessions = sorted({recording.session for recording in recordings})
        apart: set[str] = set(sessions) if name in held else set()
        if split in ("session", "book") and len(sessions) > 1 and not any(one.split for one in recordings):
            apart = set(chance.sample(sessions, min(len(sessions) - 1, max(1, round(validation * len(sessions))))))
        elif split == "book" and len(recordings) > 1 and not any(one.split for one in recordings):
            files = range(len(recordings))
            last = set(chance.sample(files, min(len(files) - 1, max(1, round(validation * len(files))))))
            sides = ("validation" if index in last else "train" for index in files)
            recordings = tuple(replace(one, split=side) for one, side in zip(recordings, sides, strict=True))
        share = validation if split == "segment" else 0.0
        tasks.append(Task(name, recordings, frozenset(apart), share, chance.getrandbits(32), copies, noise, shards))
    return tasks


def build_speaker(task: Task, folder: str | Path | Storage) -> str:
    """Make one speaker's images and rows; returns what was skipped and why, one line each, or ''.

    What is there already and was made of the same recordings with the same settings is not made again; another licence
    is written into it. Raises `DatasetError` where the disk is nearly full.
    """
    storage, made = Storage.of(folder), made_of(task)
    finished = skipped_in(storage, task.speaker, made)
    if finished is not None and relicense(storage, task.speaker, _licences(task)):
        return "\n".join(finished)
    forget(storage, task.speaker)
    free = storage.free()
    if free is not None and free < MIN_FREE_BYTES:
        raise DatasetError(f"less than {MIN_FREE_BYTES // 10**6} MB free in {folder}: free some and run again")
    from core.spectral import COLUMNS, feature_row

    chance, skipped = random.Random(task.seed), []
    prefixes: set[str] = set()
    with one_thread(), PartWriter(storage, task.speaker, shards=task.shards, keep_clips=task.copies > 0) as part:
        for recording in task.recordings:
            prefix = f"{short_name(recording.session)}_{short_name(recording.stem)}"
            prefix = unique(prefix.replace(".", "_") if task.shards else prefix, prefixes)
            for start, samples in prepared(recording, skipped):
                split = _side(recording, task, chance)
                name = f"{prefix}_{round(start * 1000):08d}"
                part.add(name, samples, feature_row(samples), _row(task.speaker, name, recording, start, split))
        if task.copies:
            _augmented(task, storage, part.clips())
        part.finish(made, skipped, len(COLUMNS))
    return "\n".join(skipped)


def finished(task: Task, folder: str | Path | Storage) -> bool:
    """Is the speaker's part there, made of the same recordings with the same settings?"""
    return skipped_in(Storage.of(folder), task.speaker, made_of(task)) is not None


def set_apart(recording: Recording, task: Task) -> bool:
    """Does all of the recording validate? (A share of segments is drawn one by one.)"""
    return recording.split == "validation" if recording.split else recording.session in task.validation_sessions


def _side(recording: Recording, task: Task, chance: random.Random) -> str:
    drawn = not recording.split and task.validation_share
    return "validation" if set_apart(recording, task) or (drawn and chance.random() < drawn) else "train"


def _row(speaker: str, name: str, recording: Recording, start: float, split: str) -> Row:
    """The row of a segment; the path and the SHA-256 of its image come with the image."""
    return Row(
        id=f"{speaker}/{name}",
        path="",
        speaker=speaker,
        session=_as_text(recording.session),
        recording=_as_text(recording.name),
        language=recording.language,
        start=round(start, 3),
        split=split,
        sha256="",
        licence=recording.licence,
        reader_id=recording.reader_id,
        book=recording.book,
        section=recording.section,
        source=recording.source,
    )


def made_of(task: Task) -> str:
    """A hash of everything that decides a speaker's part."""
    noise = names_in(task.noise) if task.copies else []
    settings = [sorted(task.validation_sessions), task.validation_share, task.seed, task.copies, noise, task.shards]
    licences = _licences(task)
    unclear = [one.licence for one in task.recordings if _called(one) not in licences]
    return fingerprint(task.recordings, settings, *([unclear] if unclear else []))


def _licences(task: Task) -> dict[tuple[str, str], str]:
    """By what a row calls a recording, where no two that are called alike have different licences."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in task.recordings:
        found.setdefault(_called(one), set()).add(one.licence)
    return {called: next(iter(licences)) for called, licences in found.items() if len(licences) == 1}


def _called(recording: Recording) -> tuple[str, str]:
    return _as_text(recording.session), _as_text(recording.name)


def _as_text(name: str) -> str:
    """A file name as valid text (Linux allows any bytes in one)."""
    return name.encode(errors="replace").decode()


def prepared(recording: Recording, skipped: list[str]) -> Iterator[tuple[float, np.ndarray]]:
    """(start in s, samples) of each segment that is used; what cannot be read is named in `skipped`."""
    try:
        for span, audio in speech_segments(sound_of(recording)):
            if span.duration >= SEGMENT_SECONDS / 2 and (samples := prepare(audio)) is not None:
                yield span.start, samples
    except (AudioError, SourceError) as error:
        skipped.append(f"{recording.shown}: {error}")


def sound_of(recording: Recording) -> Iterator[Audio]:
    """The blocks of the part of a file that is meant."""
    with ExitStack() as opened:
        source: Path | BinaryIO
        if isinstance(recording.path, Path):
            source = recording.path
        else:
            where, _, name = recording.path.rpartition("/")
            try:
                source = opened.enter_context(Storage.of(where).open(name))
            except FileNotFoundError as error:
                raise DecodeError("there is no such file") from error
        end = None if recording.end == math.inf else recording.end
        yield from blocks(source, recording.start, end) if recording.start or end else stream(source)


def _augmented(task: Task, storage: Storage, clips: np.ndarray) -> None:
    """Feature rows of augmented copies, float32 (copies * clips, columns), for training only; without babble,
    as a speaker's task knows of nobody else."""
    from core.augment import WaveformAugmenter, noise_in
    from core.spectral import feature_row

    augmenter = WaveformAugmenter(noise_in(task.noise))
    chance = np.random.default_rng(task.seed)
    made = [feature_row(augmenter(np.array(clip), chance)) for _ in range(task.copies) for clip in clips]
    if made:
        content = io.BytesIO()
        np.savez(content, features=np.asarray(made, np.float32))
        storage.write(f"features_augmented/{task.speaker}.npz", content.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a local file whole or not at all, making its folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def build(
    tasks: Iterable[Task],
    folder: str | Path | Storage,
    *,
    work: Callable[[Task, Storage], str] = build_speaker,
    report: Callable[[str, str], None] | None = None,
    **pool,
) -> int:
    """Run the tasks and write `segments.csv` and `features.csv`. Returns the number of segments.

    `work` makes one speaker; `pool`: who does it, as `core.dataset.workers.run` has it (`workers=2`,
    `scheduler="tcp://..."`, ...). `report(speaker, skipped)` is called as each task ends.
    """
    storage, tasks = Storage.of(folder), list(tasks)
    storage.tidy()
    try:
        for task, skipped in run(work, tasks, storage, **pool):
            if report:
                report(task.speaker, skipped)
        return join([task.speaker for task in tasks], storage)
    finally:
        storage.tidy(all_mine=True)


def join(speakers: Iterable[str], folder: str | Path | Storage) -> int:
    """Parts -> `segments.csv` and `features.csv`; returns the number of segments. `DatasetError` where that is 0."""
    from core.spectral import COLUMNS as FEATURES

    storage = Storage.of(folder)
    with storage.scratch() as scratch:
        with (scratch / "features.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "speaker", "split", *FEATURES])

            def rows() -> Iterator[Row]:
                for speaker in sorted(speakers):
                    for row, features in rows_of(storage, speaker):
                        writer.writerow([row.id, row.speaker, row.split, *(f"{value:.6g}" for value in features)])
                        yield row

            count = write_rows(scratch / "segments.csv", rows())
        if count == 0:
            raise DatasetError("no speech was found in any recording: at least 2.5 s of speech in one file is needed")
        storage.put("features.csv", scratch / "features.csv")
        storage.put("segments.csv", scratch / "segments.csv")
    return count
