"""What a network is trained on, in memory: one split of a dataset folder as images or feature rows, with its labels.

Not imported by the app.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from core.dataset import teacher, variants
from core.dataset.manifest import Row, read_rows
from core.dataset.shards import read_images
from core.errors import DatasetError
from core.spectrogram import BANDS, FRAMES, read_png


@dataclass(frozen=True)
class Examples:
    """One split in memory. `values`: images uint8 (N, BANDS, FRAMES) or feature rows float32 (N, F); `speakers` (N,)
    are indices into `names`; `sessions` tell recordings apart; `teacher` (N, D), where asked for, is what another
    network, called `taught_by`, hears in each (`core.dataset.teacher`)."""

    values: np.ndarray
    speakers: np.ndarray
    sessions: np.ndarray
    names: tuple[str, ...]
    teacher: np.ndarray | None = None
    taught_by: str = ""

    def fingerprint(self) -> str:
        """A hash of who is in it and of a hundredth of what they said: of another dataset it is another one."""
        found = hashlib.sha256("\n".join(self.names).encode(errors="surrogateescape"))
        for part in (self.speakers, self.values[::101]):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()[:16]

    def lessons(self) -> str:
        """A hash of what the teacher hears, before it is `centred`; empty without one."""
        return "" if self.teacher is None else hash_of(self.teacher)

    def centred(self) -> Examples:
        """With `core.dataset.teacher.centred` lessons, where there are any."""
        if self.teacher is None:
            return self
        return replace(self, teacher=teacher.centred(self.teacher, self.speakers))


def hash_of(values: np.ndarray) -> str:
    """A hash of an array."""
    return hashlib.sha256(np.ascontiguousarray(values)).hexdigest()[:16]


def load_images(
    folder: Path,
    split: str,
    *,
    min_segments: int = 1,
    progress: Callable = iter,
    with_variants: bool = False,
    more_speeds: bool = False,
    with_teacher: bool = False,
) -> Examples:
    """Every spectrogram image of a split; `min_segments` leaves out speakers with fewer. With `with_variants` also
    those of `core.dataset.variants`, another speed being another speaker called `<name>@<speed>`, and with
    `more_speeds` those at its `MORE_SPEEDS`."""
    rows = _rows(folder, split, min_segments)
    examples = Examples(read_images(folder, rows, progress=progress), *_labels(rows))
    if with_teacher:
        examples = replace(examples, teacher=_taught(examples, folder), taught_by=teacher.taught_by(folder))
    sets = [variants.SPEEDS] * with_variants + [variants.MORE_SPEEDS] * more_speeds
    return _with_variants(examples, folder, sets) if sets else examples


def _taught(examples: Examples, folder: Path) -> np.ndarray:
    """The teacher's row for each image of a split."""
    found: list[np.ndarray | None] = [None] * len(examples.values)
    for index, name in enumerate(examples.names):
        places = np.flatnonzero(examples.speakers == index)
        for place, row in zip(
            places, teacher.of_images(_taught_in(folder, variants.named(name)), len(places)), strict=True
        ):
            found[place] = row
    return np.stack(found)


def _with_variants(examples: Examples, folder: Path, sets: list[tuple[float, ...]]) -> Examples:
    names, values, speakers = list(examples.names), [examples.values], [examples.speakers]
    taught = None if examples.teacher is None else [examples.teacher]
    for (index, name), speeds in product(enumerate(examples.names), sets):
        file = variants.named(name, speeds)
        more = variants.read(_variant(folder, file, _made_by(speeds)))
        values.append(more.images)
        speakers.append(_as_voices(index, more.speed, names, name))
        if taught is not None:
            taught.append(teacher.of_variants(_taught_in(folder, file), len(more.images), speeds=speeds))
    sessions = np.concatenate([examples.sessions, *(np.zeros(len(one), int) for one in speakers[1:])])
    return Examples(
        np.concatenate(values),
        np.concatenate(speakers),
        sessions,
        tuple(names),
        None if taught is None else np.concatenate(taught),
        examples.taught_by,
    )


def load_variant_rows(
    folder: Path, *, min_segments: int = 1, more_speeds: bool = False, with_teacher: bool = False
) -> Examples:
    """The feature rows of `core.dataset.variants` of the training speakers, another speed being another speaker; with
    `more_speeds` also those at its `MORE_SPEEDS`."""
    names = sorted({row.speaker for row in _rows(folder, "train", min_segments)})
    voices, values, speakers, taught = list(names), [], [], []
    sets = [variants.SPEEDS, variants.MORE_SPEEDS][: 1 + more_speeds]
    for (index, name), speeds in product(enumerate(names), sets):
        made_by = f"{_made_by(speeds)} and --copies"
        rows, speed = variants.read_rows(_variant(folder, variants.rows_named(name, speeds), made_by))
        values.append(rows)
        speakers.append(_as_voices(index, speed, voices, name))
        if with_teacher:
            taught.append(teacher.of_rows(_taught_in(folder, variants.named(name, speeds)), speed, speeds=speeds))
    together = np.concatenate(values)
    return Examples(
        together,
        np.concatenate(speakers),
        np.zeros(len(together), int),
        tuple(voices),
        np.concatenate(taught) if with_teacher else None,
        teacher.taught_by(folder) if with_teacher else "",
    )


def _taught_in(folder: Path, file: str) -> Path:
    return folder / "teacher" / file


def _made_by(speeds: tuple[float, ...]) -> str:
    """What makes variants at these speeds."""
    return "create_dataset.py with --variants" if speeds == variants.SPEEDS else "teach.py with --more-speeds"


def _variant(folder: Path, name: str, made_by: str) -> Path:
    path = folder / "variants" / name
    if not path.is_file():
        raise DatasetError(f"{path} is missing: run scripts/{made_by}")
    return path


def _as_voices(index: int, speed: np.ndarray, voices: list[str], name: str) -> np.ndarray:
    """The label of each example of speaker `index`: another speed is a voice of its own, appended to `voices`."""
    own = np.full(len(speed), index)
    for other in sorted(set(speed[speed != 1.0])):
        own[speed == other] = len(voices)
        voices.append(f"{name}@{other:.3g}")
    return own


def load_noise(folder: Path) -> np.ndarray:
    """The noise images of a dataset: uint8 (N, BANDS, FRAMES); none is fine."""
    files = sorted((folder / "noise").glob("*.png"))
    return np.stack([read_png(path) for path in files]) if files else np.zeros((0, BANDS, FRAMES), np.uint8)


def load_features(folder: Path, split: str, *, min_segments: int = 1, augmented: bool = False) -> Examples:
    """Every feature row of a split, with `augmented` the augmented copies too."""
    rows = _rows(folder, split, min_segments)
    values = _feature_rows(folder, rows)
    speakers, sessions, names = _labels(rows)
    if augmented:
        more, of = [values], [speakers]
        for index, name in enumerate(names):
            path = folder / "features_augmented" / f"{name}.npz"
            if path.is_file():
                with np.load(path, allow_pickle=False) as file:
                    more.append(file["features"])
                    of.append(np.full(len(more[-1]), index))
        values, speakers = np.concatenate(more), np.concatenate(of)
        sessions = np.zeros(len(speakers), int)
    return Examples(values, speakers, sessions, names)


def load_several_recordings(folder: Path, *, features: bool = False) -> Examples:
    """Every spectrogram image, or with `features` every feature row, of voices with several recordings, whatever their
    split. `DatasetError` where fewer than two have several."""
    rows = read_rows(folder)
    recordings: dict[str, set[str]] = {}
    for row in rows:
        recordings.setdefault(row.speaker, set()).add(row.session)
    rows = [row for row in rows if len(recordings[row.speaker]) > 1]
    voices = len({row.speaker for row in rows})
    if voices < 2:
        raise DatasetError(f"{voices} voices of {folder} have several recordings, 2 are needed")
    return Examples(_feature_rows(folder, rows) if features else read_images(folder, rows), *_labels(rows))


def _feature_rows(folder: Path, rows: list[Row]) -> np.ndarray:
    """float32 (len(rows), F)."""
    wanted = {row.id for row in rows}
    with (folder / "features.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        table = {line[0]: np.array(line[3:], np.float32) for line in reader if line[0] in wanted}
    return np.stack([table[row.id] for row in rows])


def _rows(folder: Path, split: str, min_segments: int) -> list[Row]:
    rows = [row for row in read_rows(folder) if row.split == split]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.speaker] = counts.get(row.speaker, 0) + 1
    rows = [row for row in rows if counts[row.speaker] >= min_segments]
    if not rows:
        raise DatasetError(
            f"{folder} has no '{split}' segments of speakers with at least {min_segments} of them: "
            "make it with more speakers, or with another --split or --validation"
        )
    return rows


def _labels(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    names = tuple(sorted({row.speaker for row in rows}))
    place = {name: index for index, name in enumerate(names)}
    sessions = {key: index for index, key in enumerate(sorted({(row.speaker, row.session) for row in rows}))}
    return (
        np.array([place[row.speaker] for row in rows]),
        np.array([sessions[row.speaker, row.session] for row in rows]),
        names,
    )
