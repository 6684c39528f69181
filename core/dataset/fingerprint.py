"""What a part of a dataset was made of, as a hash: of anything else it is made anew."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core.dataset.recordings import Recording, audio_files
from core.dataset.storage import Storage

KNOWN_BYTES = 65_536  # of the beginning, the middle and the end of a file


def fingerprint(recordings: Iterable[Recording], *settings: object) -> str:
    """SHA-256 of recordings and of how they are used."""
    known = [known_by(recording) for recording in recordings]
    return hashlib.sha256(json.dumps([known, *settings]).encode()).hexdigest()


@cache
def names_in(folder: Path | None) -> list[str]:
    """The audio files of a folder, as part of a fingerprint; none without one."""
    return [] if folder is None else [path.relative_to(folder).as_posix() for path in audio_files(folder)]


def known_by(recording: Recording) -> list:
    """What tells a recording from another, also from one of other content under the same name."""
    known = [recording.session, recording.name, _size(recording), _content(recording), recording.language]
    told = [recording.split, recording.reader_id, recording.book, recording.section, recording.source]
    part = [recording.start, recording.end] if recording.start or recording.end < math.inf else []
    return [*known, *([told + part] if any(told) or part else [])]  # a folder says no more than `known`


def _size(recording: Recording) -> int:
    """Bytes; -1 when there is no such file, 0 for what is made here and known by its name."""
    if recording.made:
        return 0
    if isinstance(recording.path, Path):
        return recording.path.stat().st_size if recording.path.exists() else -1
    where, _, name = recording.path.rpartition("/")
    return Storage.of(where).size(name)


def _content(recording: Recording) -> str:
    """A hash of the beginning, the middle and the end of a local file: clips of one length have one size too."""
    if recording.made or not isinstance(recording.path, Path) or not recording.path.exists():
        return ""
    found = hashlib.sha256()
    with recording.path.open("rb") as file:
        size = recording.path.stat().st_size
        for place in (0, size // 2, max(0, size - KNOWN_BYTES)):
            file.seek(place)
            found.update(file.read(KNOWN_BYTES))
    return found.hexdigest()[:16]
