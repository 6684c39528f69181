"""Recordings in folders -> the dataset: segments, spectrogram images, feature rows.

One task per speaker, independent of every other; each leaves its rows in `DIR/parts/`, whole or not at all, so a run
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable, Container, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.audio import SEGMENT_SECONDS, Audio, decode, stream
from core.dataset.manifest import COLUMNS, SPLITS, Row, safe_name, write_rows
from core.errors import AudioError, DatasetError
from core.segments import fit, normalise, prepare, speech_segments
from core.spectrogram import spectrogram_image, write_png

EXTENSIONS = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm", ".aac", ".mp4", ".oga"}
MIN_FREE_BYTES = 200_000_000  # bytes of disk below which a build stops before it fills the disk


@dataclass(frozen=True)
class Recording:
    """One file of one speaker; `session` is the folder below the speaker, or the file's own stem."""

    path: Path
    session: str
    language: str = ""
    licence: str = ""


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


def audio_files(folder: Path) -> list[Path]:
    """Every audio file at any depth of a folder, in name order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)


def find_speakers(roots: list[Path]) -> dict[str, tuple[Recording, ...]]:
    """`ROOT/<speaker>/[<session>/]<file>` of one or several roots -> recordings by speaker, in name order.

    With several roots a speaker is called `<root>-<speaker>`, so that equal numbers of two corpora stay two people.
    """
    found: dict[str, tuple[Recording, ...]] = {}
    for root in roots:
        if not root.is_dir():
            raise DatasetError(f"{root} is not a folder; expected {root}/<speaker>/<recordings>")
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            files = audio_files(folder)
            if files:
                name = _unique(safe_name(f"{root.name}-{folder.name}" if len(roots) > 1 else folder.name), found)
                found[name] = tuple(Recording(file, _session(file, folder)) for file in files)
    if not found:
        shown = ", ".join(str(root) for root in roots)
        raise DatasetError(f"no audio files under {shown}; expected <speaker>/<recordings> in WAV, FLAC, Opus, MP3 ...")
    return found


def _unique(name: str, taken: Container[str]) -> str:
    """The name, with a number behind it where another name was made safe to the same letters."""
    made, number = name, 2
    while made in taken:
        made, number = f"{name}-{number}", number + 1
    return made


def _session(file: Path, folder: Path) -> str:
    relative = file.relative_to(folder)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def plan(
    speakers: dict[str, tuple[Recording, ...]],
    *,
    split: str = "session",
    validation: float = 0.3,
    seed: int = 0,
    copies: int = 0,
    noise: Path | None = None,
) -> list[Task]:
    """Tasks with the split decided: `segment` (the original's), `session` (whole recordings), `speaker` (whole people).

    With `session`, a speaker of one recording goes to training whole. What is drawn for a speaker depends on the seed
    and the speaker's name, so that another speaker more or less changes nothing for the rest.
    """
    names = sorted(speakers)
    held = set(random.Random(seed).sample(names, round(validation * len(names)))) if split == "speaker" else set()
    tasks = []
    for name in names:
        chance = random.Random(f"{seed} {name}")
        sessions = sorted({recording.session for recording in speakers[name]})
        apart: set[str] = set(sessions) if name in held else set()
        if split == "session" and len(sessions) > 1:
            apart = set(chance.sample(sessions, min(len(sessions) - 1, max(1, round(validation * len(sessions))))))
        share = validation if split == "segment" else 0.0
        tasks.append(Task(name, speakers[name], frozenset(apart), share, chance.getrandbits(32), copies, noise))
    return tasks


def build_speaker(task: Task, folder: Path) -> str:
    """Make one speaker's images and rows; returns what was skipped and why, one line each, or ''.

    What is there already and was made of the same recordings with the same settings is not made again.
    """
    done = folder / "parts" / f"{task.speaker}.json"
    made_of = _fingerprint(task)
    if done.is_file():
        part = json.loads(done.read_text())
        if part.get("made_of", made_of) == made_of:
            return "\n".join(part["skipped"])
        _forget(task.speaker, folder)
    if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        raise DatasetError(f"less than {MIN_FREE_BYTES // 10**6} MB free in {folder}: free some and run again")
    from core.spectral import feature_row

    chance = random.Random(task.seed)
    rows, features, clips, skipped, prefixes = [], [], [], [], set()
    for recording in task.recordings:
        prefix = _unique(f"{safe_name(recording.session)}_{safe_name(recording.path.stem)}", prefixes)
        prefixes.add(prefix)
        for start, samples in _prepared(recording, skipped):
            apart = recording.session in task.validation_sessions or chance.random() < task.validation_share
            split = "validation" if apart else "train"
            name = f"{prefix}_{round(start * 1000):08d}"
            target = folder / "spectrograms" / split / task.speaker / f"{name}.png"
            content = io.BytesIO()
            write_png(spectrogram_image(samples), content)
            _write_whole(target, content.getvalue())
            rows.append(
                Row(
                    id=f"{task.speaker}/{name}",
                    path=str(target.relative_to(folder)),
                    speaker=task.speaker,
                    session=_as_text(recording.session),
                    recording=_as_text(recording.path.name),
                    language=recording.language,
                    start=round(start, 3),
                    split=split,
                    sha256=hashlib.sha256(content.getvalue()).hexdigest(),
                    licence=recording.licence,
                )
            )
            features.append(feature_row(samples))
            clips.append(samples)
    if task.copies and clips:
        _augmented(task, folder, clips, [row.split for row in rows])
    result = {
        "made_of": made_of,
        "rows": [asdict(row) for row in rows],
        "features": [list(map(float, row)) for row in features],
    }
    _write_whole(done, json.dumps({**result, "skipped": skipped}).encode())
    return "\n".join(skipped)


def _fingerprint(task: Task) -> str:
    """SHA-256 of everything that decides a speaker's part."""
    settings = [sorted(task.validation_sessions), task.validation_share, task.seed, task.copies, bool(task.noise)]
    sizes = [r.path.stat().st_size if r.path.exists() else -1 for r in task.recordings]
    files = [[r.session, r.path.name, size, r.language] for r, size in zip(task.recordings, sizes, strict=True)]
    return hashlib.sha256(json.dumps([settings, files]).encode()).hexdigest()


def _forget(speaker: str, folder: Path) -> None:
    """Remove what was made of a speaker; the part last, so that a kill in between is noticed."""
    for split in SPLITS:
        shutil.rmtree(folder / "spectrograms" / split / speaker, ignore_errors=True)
    (folder / "features_augmented" / f"{speaker}.npz").unlink(missing_ok=True)
    (folder / "parts" / f"{speaker}.json").unlink()


def _as_text(name: str) -> str:
    """A file name as valid text (Linux allows any bytes in one)."""
    return name.encode(errors="replace").decode()


def _prepared(recording: Recording, skipped: list[str]) -> Iterator[tuple[float, np.ndarray]]:
    try:
        for span, audio in speech_segments(stream(recording.path)):
            if span.duration >= SEGMENT_SECONDS / 2 and (samples := prepare(audio)) is not None:
                yield span.start, samples
    except AudioError as error:
        skipped.append(f"{recording.path}: {error}")


def _augmented(task: Task, folder: Path, clips: list[np.ndarray], splits: list[str]) -> None:
    """Feature rows of augmented copies, float32 (copies * clips, columns), for training only."""
    from core.augment import WaveformAugmenter
    from core.spectral import feature_row

    augmenter = WaveformAugmenter.shared(task.noise)
    chance = np.random.default_rng(task.seed)
    chosen = [clip for clip, split in zip(clips, splits, strict=True) if split == "train"]
    made = [feature_row(augmenter(clip, chance)) for _ in range(task.copies) for clip in chosen]
    if made:
        content = io.BytesIO()
        np.savez(content, features=np.asarray(made, np.float32))
        _write_whole(folder / "features_augmented" / f"{task.speaker}.npz", content.getvalue())


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def build(
    tasks: list[Task], folder: Path, *, workers: int = 1, report: Callable[[str, str], None] | None = None
) -> int:
    """Run the tasks and write `segments.csv` and `features.csv`. Returns the number of segments.

    `report(speaker, skipped)` is called as each task ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for task, skipped in _run(tasks, folder, workers):
        if report:
            report(task.speaker, skipped)
    return join(tasks, folder)


def _run(tasks: list[Task], folder: Path, workers: int) -> Iterator[tuple[Task, str]]:
    if workers <= 1:
        for task in tasks:
            yield task, build_speaker(task, folder)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(build_speaker, task, folder): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def join(tasks: list[Task], folder: Path) -> int:
    """Parts -> `segments.csv` and `features.csv`."""
    from core.spectral import COLUMNS as FEATURES

    rows: list[Row] = []
    partial = folder / "features.partial"
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "speaker", "split", *FEATURES])
        for task in sorted(tasks, key=lambda task: task.speaker):
            part = json.loads((folder / "parts" / f"{task.speaker}.json").read_text())
            for values, features in zip(part["rows"], part["features"], strict=True):
                row = Row(**{name: values[name] for name in COLUMNS})
                rows.append(row)
                writer.writerow([row.id, row.speaker, row.split, *(f"{value:.6g}" for value in features)])
    if not rows:
        partial.unlink()
        raise DatasetError("no speech was found in any recording: at least 2.5 s of speech in one file is needed")
    partial.replace(folder / "features.csv")
    write_rows(folder / "segments.csv", rows)
    return len(rows)


def build_noise(root: Path, folder: Path) -> int:
    """Images of every noise file (5 s pieces, level set, nothing cut) for mixing in training; returns their number."""
    count, names = 0, set()
    for path in audio_files(root):
        name = _unique(safe_name(path.stem), names)
        names.add(name)
        for index, samples in enumerate(noise_segments(path)):
            target = folder / "noise" / f"{name}_{index:03d}.png"
            if not target.is_file():
                content = io.BytesIO()
                write_png(spectrogram_image(samples), content)
                _write_whole(target, content.getvalue())
            count += 1
    return count


def noise_segments(path: Path) -> list[np.ndarray]:
    """A noise file as 5 s pieces at the set level; empty when it cannot be read or holds nothing."""
    try:
        audio = decode(path, max_seconds=600)
    except AudioError:
        return []
    size = round(SEGMENT_SECONDS * audio.rate)
    pieces = [audio.samples[start : start + size] for start in range(0, len(audio), size)]
    return [fit(normalise(Audio(piece).samples)) for piece in pieces if len(piece) >= size // 2 and np.any(piece)]
