"""Which recordings a dataset is made of: folders of speakers, or a list in a CSV file (of files and links)."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from core.dataset.manifest import SPLITS, short_name
from core.errors import DatasetError, LinkError
from core.sources.link import parse_link

EXTENSIONS = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm", ".aac", ".mp4", ".oga"}
LIST_COLUMNS = ("path", "speaker")  # what a CSV list must have; session, book, section, ... may be there too


@dataclass(frozen=True)
class Recording:
    """One file of one speaker; `session` is the folder below the speaker, the book, or the file's own stem.

    `path`: a local path, or a fsspec URL or a link as text. `split`: where it is to go ("": as `plan` decides). `book`,
    `section`, `reader_id` and `source` (URL) are an audiobook's. `start`, `end`: s, the part of the file that is meant.
    `made`: a file that is made here and may not be there yet; its name says what it is made of. `line`: its place in
    a list, 0 without one.
    """

    path: Path | str
    session: str
    language: str = ""
    licence: str = ""
    split: str = ""
    reader_id: str = ""
    book: str = ""
    section: str = ""
    source: str = ""
    start: float = 0.0
    end: float = math.inf
    made: bool = False
    line: int = 0

    @property
    def shown(self) -> str:
        """What a person is told it is: the line of the list, and what stands there."""
        return f"line {self.line}, {self.source if self.made else self.path}" if self.line else str(self.path)

    @property
    def name(self) -> str:
        """The file's name."""
        return str(self.path).replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return Path(self.name).stem


def is_link(path: Path | str) -> bool:
    """Is it a link of the web, to be fetched first (`core.dataset.links`)?"""
    return isinstance(path, str) and re.match(r"https?://", path, re.IGNORECASE) is not None


def audio_files(folder: Path) -> list[Path]:
    """Every audio file at any depth of a folder, in name order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and not path.is_dir())


def check_sound(option: str, folder: Path | None) -> None:
    """`DatasetError` where a folder was given in which there is no audio file."""
    if folder is not None and not audio_files(folder):
        raise DatasetError(f"{option} {folder}: no audio files are there; give a folder of recordings, or leave it out")


def find_speakers(roots: list[Path]) -> dict[str, tuple[Recording, ...]]:
    """`ROOT/<speaker>/[<session>/]<file>` of one or several roots -> recordings by speaker, in name order.

    With several roots a speaker is called `<root>-<speaker>`, so that equal numbers of two corpora stay two people.
    Raises `DatasetError` for a root that is no folder, and where there is no recording in any.
    """
    found: dict[str, tuple[Recording, ...]] = {}
    taken: set[str] = set()
    for root in roots:
        if not root.is_dir():
            raise DatasetError(f"{root} is not a folder; expected {root}/<speaker>/<recordings>")
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            files = audio_files(folder)
            if files:
                name = unique(short_name(f"{root.name}-{folder.name}" if len(roots) > 1 else folder.name), taken)
                found[name] = tuple(Recording(file, _session(file, folder)) for file in files)
    if not found:
        shown = ", ".join(str(root) for root in roots)
        raise DatasetError(f"no audio files under {shown}; expected <speaker>/<recordings> in WAV, FLAC, Opus, MP3 ...")
    return found


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where another name was made safe to the same letters, small or large: to some
    systems these are one file. Adds it to `taken`."""
    made, number = name, 2
    while made.casefold() in taken:
        made, number = f"{name}-{number}", number + 1
    taken.add(made.casefold())
    return made


def _session(file: Path, folder: Path) -> str:
    relative = file.relative_to(folder)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def listed_speakers(path: Path) -> dict[str, tuple[Recording, ...]]:
    """The recordings of a CSV list, by speaker. Columns: `path` and `speaker`; and where they are known `session`,
    `split` (train or validation), `start`, `end` (s), `language`, `licence`, `reader_id`, `book`, `section`, `source`.

    A path is local (from the list's own folder on), a fsspec URL, or a link that `core.sources.youtube` opens, whose
    own t= is the start where none is given. Without a session the book is one, or the file, or the link. Raises
    `DatasetError`, which names the line.
    """
    found: dict[str, list[Recording]] = {}
    names: dict[str, str] = {}
    taken: set[str] = set()
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := set(LIST_COLUMNS) - set(reader.fieldnames or ()):
                raise DatasetError(
                    f"{path} lacks the columns {', '.join(sorted(missing))}: a list needs path and speaker"
                )
            for line in reader:
                who = (line["speaker"] or "").strip()
                recording = _listed(path, reader.line_num, line)
                if not who:
                    raise DatasetError(f"{path}, line {reader.line_num}: no speaker: name one")
                if who not in names:
                    names[who] = unique(short_name(who), taken)
                found.setdefault(names[who], []).append(recording)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is no CSV in UTF-8: {error}") from error
    if not found:
        raise DatasetError(f"{path} lists no recording: give one path and speaker per line")
    return {name: tuple(found[name]) for name in sorted(found)}


def _listed(path: Path, number: int, line: dict[str, str | None]) -> Recording:
    def text(name: str) -> str:
        return (line.get(name) or "").strip()

    def seconds(name: str, otherwise: float) -> float:
        try:
            return float(text(name) or otherwise)
        except ValueError:
            raise DatasetError(f"{path}, line {number}: {name} is {text(name)!r}: give seconds") from None

    where = text("path")
    if not where:
        raise DatasetError(f"{path}, line {number}: no path: give a file or a link")
    if text("split") not in ("", *SPLITS):
        raise DatasetError(f"{path}, line {number}: split is {text('split')!r}: give train, validation or nothing")
    place: Path | str = where if "://" in where else path.parent / where
    session, begin = Path(where).stem, 0.0
    if is_link(where):
        try:
            link = parse_link(where)
        except LinkError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
        place, session, begin = link.url.split("#")[0], link.video or session, link.start or 0.0
    start, end = seconds("start", begin), seconds("end", math.inf)
    if not 0.0 <= start < end:
        raise DatasetError(f"{path}, line {number}: from {start:g} to {end:g} s there is nothing: give start < end")
    return Recording(
        place,
        text("session") or text("book") or session,
        *(text(name) for name in ("language", "licence", "split", "reader_id", "book", "section", "source")),
        start,
        end,
        line=number,
    )
