"""The dataset folder and its manifest.

DIR/segments.csv                              one row per segment (`Row`)
DIR/spectrograms/<split>/<speaker>/<id>.png   80 x 500, 8-bit grey
DIR/shards/<split>/<speaker>.tar              or, with --shards, the same images in tar files (`core.dataset.shards`)
DIR/features.csv                              one row per segment: id, speaker, split, then the named columns
DIR/features_augmented/<speaker>.npz          (optional) feature rows of augmented copies
DIR/noise/<id>.png                            (optional) images of noise, to be mixed in while training
DIR/ATTRIBUTION.md                            (audiobooks) every reader and book used
DIR/wav/<speaker>/<piece>.wav                 (audiobooks) 44.1 kHz mono, long silences removed
DIR/wav/<speaker>/<session>/<part>.wav        (lists) 16 kHz mono: the links and parts of files that a list means
DIR/downloads, probes, catalogue              (audiobooks, links) what was fetched, so that it is fetched once
DIR/parts/...                                 per-speaker results; what a resumed run does not make again
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

from core.dataset.storage import Storage
from core.errors import DatasetError

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Row:
    """One segment of the dataset. `start` is in seconds of *speech* from the beginning of the recording.

    `path`: the image, `FILE.png`, or `FILE.tar::NAME.png` in a shard. `reader_id`, `book`, `section` and `source` (a
    URL) tell where an audiobook comes from; empty for other recordings.
    """

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
    reader_id: str = ""
    book: str = ""
    section: str = ""
    source: str = ""


LONGEST = 60  # characters of a name in file names
COLUMNS = tuple(field.name for field in fields(Row))
REQUIRED = tuple(field.name for field in fields(Row) if field.default is MISSING)


def safe_name(text: str) -> str:
    """A file name of letters, digits, dot, dash and underscore only; never empty, never hidden, never a parent."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "unnamed"


def short_name(text: str) -> str:
    """`safe_name` of at most `LONGEST` characters, which differs where the texts do: with letters of their hash where
    it was cut, or letters outside of ASCII were lost."""
    made = safe_name(text)
    if len(made) <= LONGEST and text.isascii():
        return made
    known = hashlib.sha256(unicodedata.normalize("NFC", text).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{made[: LONGEST - 9]}-{known}"


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write the manifest whole or not at all, row by row; returns their number."""
    partial, count = path.with_suffix(".partial"), 0
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for count, row in enumerate(rows, start=1):  # noqa: B007
            writer.writerow(asdict(row))
    partial.replace(path)
    return count


def read_rows(folder: str | Path | Storage) -> list[Row]:
    """The manifest of a dataset folder or URL; `DatasetError` says what is missing."""
    storage = Storage.of(folder)
    path = storage.path("segments.csv")
    if not storage.exists("segments.csv"):
        raise DatasetError(f"{folder} has no segments.csv: make it with scripts/create_dataset.py --output {folder}")
    with io.TextIOWrapper(storage.open("segments.csv"), encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        found = set(reader.fieldnames or ())
        if missing := set(REQUIRED) - found:
            raise DatasetError(f"{path} lacks the columns {', '.join(sorted(missing))}: make the dataset again")
        return [row_of(line) for line in reader]


def row_of(values: dict) -> Row:
    """A row from the texts of a CSV line or of a part, made with these columns or with fewer."""
    known = {name: values[name] for name in COLUMNS if name in values}
    return Row(**{**known, "start": float(values["start"])})
