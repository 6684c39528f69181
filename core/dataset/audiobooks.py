"""From LibriVox's catalogue to tasks: probes, pieces fetched from archive.org, WAV, and what the workers do.

Fetching is done by the one process that was started, over a few connections, however many workers build: a cluster
does not become a crowd at archive.org's door. Everything that was fetched is in the storage once and not asked again:

    catalogue/*.json   probes/*.json   downloads/<speaker>/*.mp3 (or *.refused, which says why)   wav/<speaker>/*.wav
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.audio import stream
from core.dataset.build import Task, build_speaker, finished
from core.dataset.fetch import Guest
from core.dataset.librivox import ARCHIVE, LICENCE
from core.dataset.mp3 import independent_frame
from core.dataset.probe import Probe, listen
from core.dataset.recordings import Recording
from core.dataset.selection import BYTES_A_SECOND, Piece, Reader, Rules, introduction, pieces_of, usable_seconds
from core.dataset.storage import Storage
from core.dataset.wav import WAV_RATE, make_wav
from core.dataset.workers import run
from core.errors import AudioError, DecodeError, FileRefused

PROBE_SECONDS = 120.0  # s listened to before a reader is chosen
IMAGE_BYTES, ROW_BYTES = 28_000, 8_500  # of disk a segment, with its place in both tables


@dataclass(frozen=True)
class Wanted:
    """A stretch of a file at archive.org and its name here, without ending; times in seconds."""

    name: str
    url: str
    start: float
    end: float

    @property
    def bytes(self) -> int:
        """Bytes at the catalogue's bit rate."""
        return round((self.end - self.start) * BYTES_A_SECOND)


def wanted(speaker: str, piece: Piece, archive: str = ARCHIVE) -> Wanted:
    """What to fetch for a piece of a speaker."""
    url = f"{archive}/download/{piece.section.place}"
    return Wanted(f"downloads/{speaker}/{piece.name}", url, piece.start, piece.end)


def probe_of(reader: Reader, archive: str = ARCHIVE) -> Wanted:
    """What to listen to before a reader is chosen: the longest section of the first book."""
    section = max(reader.books[0].usable, key=lambda one: one.seconds)
    start = introduction(section)
    end = start + min(PROBE_SECONDS, usable_seconds(section))
    name = f"probes/{reader.id}_{reader.books[0].id}-{section.number:03d}_{round(start)}-{round(end)}"
    return Wanted(name, f"{archive}/download/{section.place}", start, end)


def fetch(item: Wanted, guest: Guest, storage: Storage) -> None:
    """Fetch a stretch as `<name>.mp3`, from its first whole frame on; or write why not to `<name>.refused`."""
    if any(storage.exists(f"{item.name}.{ending}") for ending in ("mp3", "refused", "json")):
        return
    first, count = round(item.start * BYTES_A_SECOND), item.bytes
    with storage.scratch() as scratch:
        file = scratch / "piece.mp3"
        try:
            guest.bytes_of(item.url, file, first, count)
            at, frame = _checked(file.read_bytes(), item.url)
            more = round((item.end - item.start) * frame.bitrate / 8) - count
            if more > count // 10 and file.stat().st_size == count:  # a better bit rate than the catalogue's
                guest.bytes_of(item.url, file, first + count, more)
            if at:
                file.write_bytes(file.read_bytes()[at:])
        except FileRefused as error:
            storage.write(f"{item.name}.refused", str(error).encode())
        else:
            storage.put(f"{item.name}.mp3", file)


def _checked(content: bytes, url: str):
    """Place and header of the first frame."""
    found = independent_frame(content)
    if found is None:
        raise FileRefused(f"{url} is not MP3: its {len(content)} bytes hold no frame of sound")
    return found


# --- probes ---------------------------------------------------------------------------------------------------------


def hear(item: Wanted, storage: Storage) -> str:
    """A worker's part of a probe: judge what was fetched, keep the judgement, drop the sound."""
    if storage.exists(f"{item.name}.mp3"):
        try:
            with storage.open(f"{item.name}.mp3") as file:
                judged = asdict(listen(stream(file)))
        except AudioError as error:
            storage.write(f"{item.name}.refused", f"{item.url}: {error}".encode())
        else:
            storage.write(f"{item.name}.json", json.dumps(judged).encode())
        storage.remove(f"{item.name}.mp3")
    return ""


def known_probe(item: Wanted, storage: Storage) -> Probe | str | None:
    """A probe made before; a text says why it could not be had; None: not made yet, or damaged."""
    if storage.exists(f"{item.name}.refused"):
        return storage.read(f"{item.name}.refused").decode(errors="replace")
    try:
        return Probe(**json.loads(storage.read(f"{item.name}.json")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        storage.remove(f"{item.name}.json")
        return None


def known_probes(readers: list[Reader], storage: Storage, archive: str = ARCHIVE) -> dict[str, Probe | str]:
    """The probes that are there, by reader's id."""
    found = {reader.id: known_probe(probe_of(reader, archive), storage) for reader in readers}
    return {number: probe for number, probe in found.items() if probe is not None}


def make_probes(
    readers: list[Reader],
    guest: Guest,
    storage: Storage,
    *,
    archive: str = ARCHIVE,
    connections: int = 2,
    report: Callable[[], None] = lambda: None,
    **pool,
) -> dict[str, Probe | str]:
    """Probe every reader that was not probed before; `report()` is called as each is done."""
    known = known_probes(readers, storage, archive)
    items = [probe_of(reader, archive) for reader in readers if reader.id not in known]
    for _ in run(
        hear,
        items,
        storage,
        before=lambda item: fetch(item, guest, storage),
        connections=connections,
        stop=guest.stop,
        **pool,
    ):
        report()
    return known_probes(readers, storage, archive)


def as_given(readers: list[Reader], storage: Storage) -> list[Reader]:
    """The readers without the sections that archive.org does not give, so that others of theirs take their place."""
    refused = {  # "<speaker>/<book>-<section>", see `Piece.name`
        name.removeprefix("downloads/").rsplit("_", 1)[0]
        for name in storage.names("downloads")
        if name.endswith(".refused")
    }
    return [_without(reader, refused) for reader in readers] if refused else readers


def _without(reader: Reader, refused: set[str]) -> Reader:
    books = []
    for book in reader.books:
        left = (one for one in book.sections if f"{reader.speaker}/{book.id}-{one.number:03d}" not in refused)
        books.append(replace(book, sections=tuple(left)))
    given = tuple(book for book in books if book.usable)
    return replace(reader, books=given) if given else reader


# --- speakers -------------------------------------------------------------------------------------------------------


def recording_of(speaker: str, piece: Piece, storage: Storage, *, split: bool, archive: str = ARCHIVE) -> Recording:
    """A piece as the dataset knows it: its WAV, and where it comes from. `split`: its side stands already."""
    path = storage.path(f"wav/{speaker}/{piece.name}.wav")
    return Recording(
        Path(path) if storage.local else path,
        session=f"{piece.book.id}-{piece.book.title}"[:60],
        language=piece.section.language or piece.book.language,
        licence=LICENCE,
        split=piece.split if split else "",
        reader_id=speaker.split("_")[0],
        book=piece.book.title,
        section=str(piece.section.number),
        source=f"{archive}/download/{piece.section.place}",
        made=True,
    )


def find_recordings(
    readers: list[Reader], rules: Rules, storage: Storage, *, by_book: bool, archive: str = ARCHIVE
) -> dict[str, tuple[Recording, ...]]:
    """The recordings of the chosen readers, by speaker, for `core.dataset.build.plan`."""
    return {
        reader.speaker: tuple(
            recording_of(reader.speaker, piece, storage, split=by_book, archive=archive)
            for piece in pieces_of(reader, rules)
        )
        for reader in readers
    }


def _download_name(speaker: str, recording: Recording) -> str:
    return f"downloads/{speaker}/{recording.stem}"


def fetch_speaker(task: Task, guest: Guest, storage: Storage) -> None:
    """Fetch every piece of a speaker whose part is not finished."""
    for_build, _ = _without_refused(task, storage)
    if finished(for_build, storage):
        return
    for recording in task.recordings:
        start, end = (float(word) for word in recording.stem.split("_")[-1].split("-"))
        fetch(Wanted(_download_name(task.speaker, recording), recording.source, start, end), guest, storage)


def _without_refused(task: Task, storage: Storage) -> tuple[Task, list[str]]:
    """The task without pieces that archive.org does not give, and why it does not."""
    refused = {
        recording: f"{_download_name(task.speaker, recording)}.refused"
        for recording in task.recordings
        if storage.exists(f"{_download_name(task.speaker, recording)}.refused")
    }
    left = tuple(recording for recording in task.recordings if recording not in refused)
    return replace(task, recordings=left), [storage.read(name).decode(errors="replace") for name in refused.values()]


def make_speaker(task: Task, storage: Storage, keep_wav: bool = True) -> str:
    """A worker's part of a speaker: WAVs of what was fetched, then segments, images, features. What is there is not
    made again. Returns what was skipped and why, one line each."""
    task, told = _without_refused(task, storage)
    if not finished(task, storage):
        for recording in task.recordings:
            name = f"wav/{task.speaker}/{recording.name}"
            if not storage.exists(name):
                with storage.scratch() as scratch:
                    try:
                        with storage.open(f"{_download_name(task.speaker, recording)}.mp3") as file:
                            make_wav(file, scratch / "piece.wav")
                    except (DecodeError, FileNotFoundError) as error:
                        told.append(f"{recording.source}: {error}")
                        continue
                    storage.put(name, scratch / "piece.wav")
    told += filter(None, [build_speaker(task, storage)])
    if not keep_wav:
        storage.remove(f"wav/{task.speaker}")
    return "\n".join(told)


def disk_needed(seconds: float, *, keep_wav: bool) -> int:
    """Bytes of disk that so many seconds of sound take in all, at most."""
    return round(seconds * (BYTES_A_SECOND + (2 * WAV_RATE if keep_wav else 0) + (IMAGE_BYTES + ROW_BYTES) / 5.0))
