"""One speaker's part of a dataset while it grows: images, rows, features. What is long lies on disk, not in memory.

`parts/<speaker>.json` (rows, what it was made of, what was skipped) comes last and says that the rest is whole;
`parts/<speaker>.npy` holds the feature rows, float32 (segments, columns).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from core.audio import SEGMENT_SAMPLES
from core.dataset.manifest import SPLITS, Row, row_of
from core.dataset.shards import INSIDE, ShardWriter
from core.dataset.storage import Storage
from core.spectrogram import spectrogram_image, write_png


class PartWriter:
    """Takes one segment after the other; `finish` puts everything in its place. A context manager."""

    def __init__(self, storage: Storage, speaker: str, *, shards: bool = False, keep_clips: bool = False):
        self._storage, self._speaker, self._in_shards, self._keep_clips = storage, speaker, shards, keep_clips
        self._rows: list[Row] = []
        self._open = ExitStack()
        self._shards: dict[str, ShardWriter] = {}

    def __enter__(self) -> PartWriter:
        self._scratch = self._open.enter_context(self._storage.scratch())
        self._features = self._open.enter_context((self._scratch / "features").open("wb"))
        self._clips = self._open.enter_context((self._scratch / "clips").open("wb"))
        return self

    def __exit__(self, *_) -> None:
        for shard in self._shards.values():
            shard.close()
        self._open.close()

    def add(self, name: str, samples: np.ndarray, features: np.ndarray, row: Row) -> None:
        """One prepared segment, float32 (SEGMENT_SAMPLES,); `row` lacks only its path and SHA-256."""
        content = io.BytesIO()
        write_png(spectrogram_image(samples), content)
        png = content.getvalue()
        if self._in_shards:
            path = f"shards/{row.split}/{self._speaker}.tar{INSIDE}{name}.png"
        else:
            path = f"spectrograms/{row.split}/{self._speaker}/{name}.png"
        row = replace(row, path=path, sha256=hashlib.sha256(png).hexdigest())
        if self._in_shards:
            if row.split not in self._shards:
                self._shards[row.split] = ShardWriter(self._scratch / f"{row.split}.tar")
            self._shards[row.split].add(name, png, row)
        else:
            self._storage.write(path, png)
        self._features.write(features.astype(np.float32).tobytes())
        if self._keep_clips and row.split == "train":
            self._clips.write(samples.astype(np.float32).tobytes())
        self._rows.append(row)

    def clips(self) -> np.ndarray:
        """The training segments so far, float32 (n, SEGMENT_SAMPLES), read from disk as they are used."""
        self._clips.flush()
        return _mapped(Path(self._clips.name), SEGMENT_SAMPLES)

    def finish(self, made_of: str, skipped: list[str], columns: int) -> None:
        """Put the part in its place, its JSON last."""
        for split, shard in self._shards.items():
            shard.close()
            self._storage.put(f"shards/{split}/{self._speaker}.tar", self._scratch / f"{split}.tar")
        self._features.flush()
        whole = self._scratch / "features.npy"
        with whole.open("wb") as file:
            np.lib.format.write_array(file, _mapped(Path(self._features.name), columns), allow_pickle=False)
        self._storage.put(_features_name(self._speaker), whole)
        result = {"made_of": made_of, "rows": [asdict(row) for row in self._rows], "skipped": skipped}
        self._storage.write(_part_name(self._speaker), json.dumps(result).encode())


def _mapped(path: Path, columns: int) -> np.ndarray:
    if path.stat().st_size == 0:
        return np.zeros((0, columns), np.float32)
    return np.memmap(path, np.float32, "r").reshape(-1, columns)


def _part_name(speaker: str) -> str:
    return f"parts/{speaker}.json"


def _features_name(speaker: str) -> str:
    return f"parts/{speaker}.npy"


def skipped_in(storage: Storage, speaker: str, made_of: str) -> list[str] | None:
    """What was skipped in a speaker's finished part of this making; None when there is no such part."""
    if not storage.exists(_part_name(speaker)):
        return None
    try:
        part = json.loads(storage.read(_part_name(speaker)))
        whole = "features" in part or storage.exists(_features_name(speaker))  # `features`: older parts held them too
        return part["skipped"] if whole and part.get("made_of", made_of) == made_of else None
    except (ValueError, KeyError, TypeError):
        return None  # damaged: made again


def relicense(storage: Storage, speaker: str, licences: Mapping[tuple[str, str], str]) -> bool:
    """Write the licences, by session and recording, into a finished part; False where its shards say other ones."""
    part = json.loads(storage.read(_part_name(speaker)))
    rows = [row | {"licence": licences.get((row["session"], row["recording"]), row["licence"])} for row in part["rows"]]
    if rows != part["rows"]:
        if any(INSIDE in row["path"] for row in rows):
            return False
        storage.write(_part_name(speaker), json.dumps(part | {"rows": rows}).encode())
    return True


def rows_of(storage: Storage, speaker: str) -> Iterator[tuple[Row, Iterable[float]]]:
    """The rows of a finished part, each with its features."""
    part = json.loads(storage.read(_part_name(speaker)))
    features = part.get("features")
    if features is None:
        with storage.open(_features_name(speaker)) as file:
            features = np.load(file, allow_pickle=False)
    for values, row in zip(part["rows"], features, strict=True):
        yield row_of(values), row


def forget(storage: Storage, speaker: str) -> None:
    """Remove what was made of a speaker; the part's JSON first, so that half a removal is no finished part."""
    storage.remove(_part_name(speaker))
    storage.remove(_features_name(speaker))
    storage.remove(f"features_augmented/{speaker}.npz")
    for split in SPLITS:
        storage.remove(f"spectrograms/{split}/{speaker}")
        storage.remove(f"shards/{split}/{speaker}.tar")
