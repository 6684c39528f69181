"""The dataset folder and its manifest.

DIR/segments.csv                              one row per segment (`Row`)
DIR/spectrograms/<split>/<speaker>/<id>.png   80 x 500, 8-bit grey
DIR/features.csv                              one row per segment: id, speaker, split, then the named columns
DIR/features_augmented/<speaker>.npz          (optional) feature rows of augmented copies
DIR/noise/<id>.png                            (optional) images of noise, to be mixed in while training
DIR/parts/...                                 per-speaker results; what a resumed run does not make again
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from core.errors import DatasetError

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Row:
    """One segment of the dataset. `start` is in seconds of *speech* from the beginning of the recording."""

    id: str
    path: str
    speaker: str
    session: str
    recording: str
    language: str
    start: float
    split: str
    sha256: str
    licence: str


COLUMNS = tuple(field.name for field in fields(Row))


def safe_name(text: str) -> str:
    """A file name of letters, digits, dot, dash and underscore only; never empty, never hidden, never a parent."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "unnamed"


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the manifest whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    partial.replace(path)


def read_rows(folder: Path) -> list[Row]:
    """The manifest of a dataset folder; `DatasetError` says what is missing."""
    path = Path(folder) / "segments.csv"
    if not path.is_file():
        raise DatasetError(f"{folder} has no segments.csv: make it with scripts/create_dataset.py --output {folder}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise DatasetError(f"{path} lacks the columns {', '.join(sorted(missing))}: make the dataset again")
        return [Row(**{**{name: line[name] for name in COLUMNS}, "start": float(line["start"])}) for line in reader]
