"""Recordings of a list that are links or parts of a file: what is fetched, kept, and cut.

A link goes through `core.sources.youtube` with all its guards, one at a time, and is fetched once:

    downloads/links/<name>.sound                       as it came; or <name>.refused, which says why there is none
    wav/<speaker>/<session>/<name>_<start>-<end>.wav   the part that a line of the list means, 16 kHz mono

The second is laid out as scripts/transfer_learning.py and evaluate.py read it, and holds what the list means now
(`tidy_parts`). A link that failed is tried again by the next run; everything else is left as it is.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.audio import SAMPLE_RATE, Audio
from core.dataset.build import Task, build_speaker, finished, sound_of
from core.dataset.manifest import safe_name, short_name
from core.dataset.recordings import Recording, is_link, unique
from core.dataset.storage import Storage
from core.errors import AudioError, Cancelled, DatasetError, LinkError, SourceError
from core.sources.youtube import fetch

FOLDER = "downloads/links"
PART = re.compile(r"_[0-9.e+]+-([0-9.e+]+|end)(-[0-9]+)?\.wav$")  # how the names of parts end


def kept_as(url: str) -> str:
    """The name in the storage, without ending, of what a link leads to. `url`: as `core.dataset.recordings` has it."""
    known = url.rstrip("/").rsplit("/", 1)[-1].removeprefix("watch?v=").split("?")[0]
    return f"{FOLDER}/{safe_name(known)[:40]}-{hashlib.sha256(url.encode()).hexdigest()[:10]}"


class Links:
    """Fetches what the links of a task lead to, `interval` s apart; `report(url)` hears of each that was tried.

    `most`: bytes that all of them may take together; more is a `DatasetError`.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        interval: float = 1.0,
        most: float = math.inf,
        report: Callable[[str], None] = lambda _: None,
    ):
        self.report = report
        self._storage, self._interval, self._most = storage, interval, most
        self._stopped = threading.Event()
        self._pause = 0.0

    def stop(self) -> None:
        """Let the download that runs end in `Cancelled` soon."""
        self._stopped.set()

    def missing(self, recordings: Iterable[Recording]) -> list[str]:
        """The links that were not fetched yet, each once."""
        urls = dict.fromkeys(str(one.path) for one in recordings if is_link(one.path))
        return [url for url in urls if not self._storage.exists(f"{kept_as(url)}.sound")]

    def fetch(self, task: Task) -> None:
        """Fetch the links of one task; one that fails is noted, and the others go on."""
        for url in self.missing(task.recordings):
            if self._stopped.wait(self._pause):
                raise Cancelled("stopped; what is finished is kept")
            self._pause = self._interval
            self._fetch(url, kept_as(url))
            self.report(url)

    def _fetch(self, url: str, name: str) -> None:
        have = sum(max(0, self._storage.size(one)) for one in self._storage.names(FOLDER))
        if have >= self._most:
            raise DatasetError(
                f"{have / 1e9:.1f} GB were fetched from links, --max-gb is {self._most / 1e9:g}: raise it if that is "
                "meant, and run again; what is finished is kept"
            )
        try:
            with (
                self._storage.scratch() as scratch,
                fetch(url, start=0.0, folder=scratch, cancelled=self._stopped.is_set) as download,
            ):
                if download.partial:
                    raise LinkError("the download broke off: run again to have it once more")
                self._storage.put(f"{name}.sound", download.path)
        except Cancelled:
            raise
        except SourceError as error:
            self._storage.write(f"{name}.refused", str(error).encode())
        else:
            self._storage.remove(f"{name}.refused")


def here(task: Task, storage: Storage) -> tuple[Task, list[str]]:
    """The task with links replaced by the files they were kept as, and a line for each that could not be had."""
    found: list[Recording] = []
    told: list[str] = []
    for recording in task.recordings:
        if not is_link(recording.path):
            found.append(recording)
            continue
        name = kept_as(str(recording.path))
        if storage.exists(f"{name}.sound"):
            found.append(_kept(recording, storage))
        else:
            why = storage.read(f"{name}.refused").decode() if storage.exists(f"{name}.refused") else "it is not there"
            told.append(f"{recording.shown}: {why}")
    return replace(task, recordings=tuple(found)), told


def _kept(recording: Recording, storage: Storage) -> Recording:
    """A link as the file that it is kept as; any other recording as it is."""
    if not is_link(recording.path):
        return recording
    path = storage.path(f"{kept_as(str(recording.path))}.sound")
    source = recording.source or str(recording.path)
    return replace(recording, path=Path(path) if storage.local else path, made=True, source=source)


def make_speaker(task: Task, storage: Storage, keep_wav: bool = True) -> str:
    """A worker's part of a speaker of a list: segments, images, features, and with `keep_wav` the sound of the parts
    and links. Returns what was skipped and why, one line each."""
    whole, told = here(task, storage)
    anew = not finished(whole, storage)
    told += filter(None, [build_speaker(whole, storage)])
    for target, recording in _parts(task.speaker, whole.recordings) if keep_wav else ():
        if anew or not storage.exists(target):
            _cut(recording, target, storage)
    return "\n".join(told)


def _parts(speaker: str, recordings: Iterable[Recording]) -> Iterator[tuple[str, Recording]]:
    """The kept links and parts of files among a speaker's recordings, each with the name of its WAV in the storage."""
    names: set[str] = set()
    for recording in recordings:
        if recording.made or recording.start or recording.end < math.inf:
            end = "end" if recording.end == math.inf else f"{recording.end:g}"
            stem = f"{short_name(recording.stem)}_{recording.start:g}-{end}"
            name = unique(f"{short_name(recording.session)}/{stem}", names)
            yield f"wav/{speaker}/{name}.wav", recording


def tidy_parts(tasks: Iterable[Task], storage: Storage) -> Iterator[str]:
    """Remove the WAVs that were made of what the list no longer means: left, one sound would enrol and test. Yields a
    line for each, and for each folder of somebody who is no longer in the list, which stays."""
    speakers = {
        task.speaker: {name for name, _ in _parts(task.speaker, (_kept(one, storage) for one in task.recordings))}
        for task in tasks
    }
    strangers = set()
    for name in storage.names("wav"):
        _, speaker, *inside = name.split("/")
        if len(inside) != 2 or not PART.search(name):
            continue
        if speaker not in speakers:
            strangers.add(speaker)
        elif name not in speakers[speaker]:
            storage.remove(name)
            yield f"removed {storage.path(name)}: the list no longer means it"
    for speaker in sorted(strangers):
        yield f"{storage.path(f'wav/{speaker}')} is of nobody in this list: remove it before wav/ is evaluated"


def _cut(recording: Recording, target: str, storage: Storage) -> None:
    """Write the part of a recording that is meant; what cannot be read was told when it was built."""
    with storage.scratch() as scratch:
        try:
            _write(sound_of(recording), scratch / "part.wav")
        except (AudioError, SourceError):
            return
        storage.put(target, scratch / "part.wav")


def _write(blocks: Iterator[Audio], target: Path) -> None:
    with wave.open(str(target), "wb") as out:  # not libsndfile, which does not say that a disk is full
        out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        for block in blocks:
            out.writeframes(np.rint(32_767.0 * block.samples).astype("<i2").tobytes())
