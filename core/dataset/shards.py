"""Images in tar files instead of single files: the WebDataset layout, for more images than a file system likes.

One tar per speaker and split, `shards/<split>/<speaker>.tar`: `<name>.png`, and beside it `<name>.json` with its row.
Every tool that reads WebDataset reads these; so does `read_images`, which takes folders and shards alike.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np

from core.dataset.manifest import Row
from core.dataset.storage import Storage
from core.errors import DatasetError
from core.spectrogram import BANDS, FRAMES, read_png

INSIDE = "::"  # between a shard's name and the name of an image in it
SHARDS_FROM = 300_000  # images from which single files are no longer sensible


class ShardWriter:
    """Grows a tar of images; the same images give the same bytes."""

    def __init__(self, path: Path):
        self._tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  closed by `close`

    def add(self, name: str, png: bytes, row: Row) -> None:
        """One image, called `<name>.png`, and its row."""
        for ending, content in (("png", png), ("json", json.dumps(asdict(row)).encode())):
            member = tarfile.TarInfo(f"{name}.{ending}")
            member.size, member.mode = len(content), 0o644
            self._tar.addfile(member, io.BytesIO(content))

    def close(self) -> None:
        self._tar.close()


class ImageReader:
    """Reads images of a dataset by the path in their row; keeps the shard open that it read last."""

    def __init__(self, storage: Storage):
        self._storage = storage
        self._open = ExitStack()
        self._shard, self._members = "", {}

    def __enter__(self) -> ImageReader:
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def __call__(self, path: str) -> np.ndarray:
        """The image at `path`: uint8 (BANDS, FRAMES). `DatasetError` when it is missing or no such image."""
        try:
            return read_png(io.BytesIO(self._content(path)))
        except (OSError, KeyError, ValueError, tarfile.TarError) as error:
            raise DatasetError(
                f"{self._storage.path(path)} cannot be read ({error}): make the dataset again"
            ) from error

    def _content(self, path: str) -> bytes:
        shard, inside, name = path.partition(INSIDE)
        if not inside:
            return self._storage.read(path)
        if shard != self._shard:
            self._open.close()
            handle = self._open.enter_context(self._storage.open(shard))
            self._tar = self._open.enter_context(tarfile.TarFile(fileobj=handle))
            self._shard, self._members = shard, {member.name: member for member in self._tar}
        return self._tar.extractfile(self._members[name]).read()


def read_images(
    folder: str | Path | Storage, rows: Iterable[Row], *, progress: Callable[[list[Row]], Iterable[Row]] = iter
) -> np.ndarray:
    """The images of rows, from folders or shards: uint8 (N, BANDS, FRAMES)."""
    chosen = list(rows)
    images = np.empty((len(chosen), BANDS, FRAMES), np.uint8)
    with ImageReader(Storage.of(folder)) as read:
        for index, row in enumerate(progress(chosen)):
            images[index] = read(row.path)
    return images
