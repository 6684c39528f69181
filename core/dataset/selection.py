"""Which readers, and which minutes of which of their books.

A reader is one `reader_id`, never a name. In: solo books that are published, in the languages asked for, enough minutes
in all. Readers of several books come first, so that validation can be a book that training never hears; the order
among equals is drawn from the seed and the reader's id alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from core.dataset.librivox import Book, Section
from core.dataset.manifest import safe_name
from core.dataset.probe import Probe
from core.errors import DatasetError

MAX_BOOKS = 3  # books of one reader that are used, more only where these are too short
INTRODUCTION_SECONDS = 30.0  # s left out at the beginning of a section: every one says who LibriVox is
MIN_PIECE_SECONDS = 5.0  # s
BYTES_A_SECOND = 8_000.0  # of the catalogue's 64 kbit/s MP3


@dataclass(frozen=True)
class Rules:
    """What is wanted. `languages`: name -> share, summing to 1. `minutes` of sound a speaker. `min_snr` dB and
    `min_bandwidth` Hz are asked of the probe; `validation` is the share of minutes from a held-out book."""

    speakers: int = 80
    candidates: int = 200
    minutes: float = 60.0
    languages: tuple[tuple[str, float], ...] = (("English", 1.0),)
    min_snr: float = 25.0
    min_bandwidth: float = 5_000.0
    validation: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Reader:
    """One person of the catalogue and their solo books in one language."""

    id: str
    name: str
    language: str
    books: tuple[Book, ...]

    @property
    def speaker(self) -> str:
        """The speaker's name in the dataset: safe as a file name, and unique by its number."""
        return f"{self.id}_{safe_name(self.name)[:40]}"

    @property
    def seconds(self) -> float:
        """Seconds of sound that can be used."""
        return sum(usable_seconds(section) for book in self.books for section in book.usable)


@dataclass(frozen=True)
class Piece:
    """A stretch of one section, to be fetched: `start` to `end` in seconds of the catalogue's file."""

    book: Book
    section: Section
    start: float
    end: float
    split: str

    @property
    def name(self) -> str:
        """A file name without its ending."""
        return f"{self.book.id}-{self.section.number:03d}_{round(self.start):05d}-{round(self.end):05d}"

    @property
    def bytes(self) -> int:
        """Bytes at the catalogue's bit rate."""
        return round((self.end - self.start) * BYTES_A_SECOND)


class Sieve:
    """Counts what each filter removed, to be told when too little is left."""

    def __init__(self):
        self.removed: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()

    def __str__(self) -> str:
        return ", ".join(f"{number} {why}" for why, number in self.removed.items()) or "no filter removed any"


def parse_languages(text: str) -> tuple[tuple[str, float], ...]:
    """ "English:60,German:40", or names alone for equal shares; shares are made to sum to 1."""
    pairs = []
    for word in (part.strip() for part in text.split(",")):
        name, colon, share = (piece.strip() for piece in word.partition(":"))
        try:
            weight = float(share) if colon else 1.0
        except ValueError:
            weight = 0.0
        if not name or not 0.0 < weight < float("inf"):
            raise DatasetError(f"--languages {text!r}: give names, or names with shares, like English:60,German:40")
        pairs.append((name, weight))
    total = sum(weight for _, weight in pairs)
    return tuple((name, weight / total) for name, weight in pairs)


def usable_seconds(section: Section) -> float:
    """What a section has after its introduction."""
    return section.seconds - introduction(section)


def introduction(section: Section) -> float:
    """Seconds left out at its beginning: a tenth at most."""
    return round(min(INTRODUCTION_SECONDS, section.seconds / 10.0))


def find_readers(books: Iterable[Book], rules: Rules, sieve: Sieve) -> list[Reader]:
    """The readers of the catalogue that can be used, in the order in which they are to be tried."""
    wanted = {name.casefold(): name for name, _ in rules.languages}
    found: dict[tuple[str, str], list[Book]] = {}
    names: dict[str, str] = {}
    for book in books:
        readers = book.readers
        sieve.languages[book.language] += 1
        if not book.finished:
            sieve.removed["books unfinished"] += 1
        elif len(readers) != 1 or not all(section.readers for section in book.sections):
            sieve.removed["books not by one reader alone"] += 1
        elif book.language.casefold() not in wanted:
            sieve.removed["books in another language"] += 1
        elif not book.usable:
            sieve.removed["books without a sound file at archive.org"] += 1
        else:
            ((reader, name),) = readers.items()
            names.setdefault(reader, name or f"reader {reader}")
            found.setdefault((reader, wanted[book.language.casefold()]), []).append(book)
    made: dict[str, Reader] = {}
    for (number, language), theirs in found.items():
        reader = Reader(number, names[number], language, tuple(sorted(theirs, key=lambda book: int(book.id))))
        if number not in made or reader.seconds > made[number].seconds:
            made[number] = reader
    enough = [reader for reader in made.values() if reader.seconds >= 60.0 * rules.minutes]
    sieve.removed[f"readers with less than {rules.minutes:g} minutes"] += len(made) - len(enough)
    for name, _ in rules.languages:
        if name.casefold() not in {language.casefold() for language in sieve.languages}:
            known = ", ".join(language for language, _ in sieve.languages.most_common(12) if language)
            raise DatasetError(f"the catalogue has no books in {name!r}; it has {known or 'none at all'}")
    if not enough:
        raise DatasetError(f"no reader is left: {sieve}. Ask for fewer --minutes or more --languages")
    return sorted(enough, key=lambda reader: (len(reader.books) < 2, _drawn(rules.seed, reader.id)))


def _drawn(seed: int, *words: str) -> str:
    return hashlib.sha256(" ".join((str(seed), *words)).encode()).hexdigest()


def by_language(readers: list[Reader], count: int, rules: Rules) -> list[Reader]:
    """The first `count` readers in the mix of languages; what one language lacks, the others fill up."""
    queues = {name: [reader for reader in readers if reader.language == name] for name, _ in rules.languages}
    exact = {name: share * count for name, share in rules.languages}
    quota = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: quota[name] - exact[name])[: count - sum(quota.values())]:
        quota[name] += 1
    taken = [reader for name, queue in queues.items() for reader in queue[: quota[name]]]
    chosen = {reader.id for reader in taken}
    taken += [reader for reader in readers if reader.id not in chosen][: count - len(taken)]
    return sorted(taken, key=readers.index)


def choose(candidates: list[Reader], probes: dict[str, Probe | str], rules: Rules, sieve: Sieve) -> list[Reader]:
    """The speakers of the dataset: candidates that their probes do not rule out, languages as wanted, high and low
    voices in turn. A candidate without a probe is taken as good; a text instead of one says why there is none."""
    good = []
    for reader in candidates:
        probe = probes.get(reader.id)
        if isinstance(probe, str):
            sieve.removed["readers whose probe could not be had"] += 1
        elif probe and probe.speech < 0.2:
            sieve.removed["readers with hardly any speech in the probe"] += 1
        elif probe and probe.snr < rules.min_snr:
            sieve.removed[f"readers noisier than {rules.min_snr:g} dB (estimated)"] += 1
        elif probe and probe.bandwidth < rules.min_bandwidth:
            sieve.removed[f"readers narrower than {rules.min_bandwidth:g} Hz (estimated)"] += 1
        else:
            good.append(reader)
    if not good:
        raise DatasetError(f"no reader is left: {sieve}. Ask for a lower --min-snr or more --candidates")
    return by_language(_in_turn(good, probes), rules.speakers, rules)


def _in_turn(readers: list[Reader], probes: dict[str, Probe | str]) -> list[Reader]:
    """High and low voices alternate within each language, as far as there are both; the order is kept else."""
    ordered: list[Reader] = []
    for language in dict.fromkeys(reader.language for reader in readers):
        theirs = [reader for reader in readers if reader.language == language]
        voices = [probes[reader.id].voice if reader.id in probes else "" for reader in theirs]
        places = {voice: iter(range(len(theirs))) for voice in set(voices)}
        ranks = [next(places[voice]) for voice in voices]
        ordered += [theirs[index] for index in sorted(range(len(theirs)), key=lambda i: (ranks[i], i))]
    return ordered


def pieces_of(reader: Reader, rules: Rules) -> tuple[Piece, ...]:
    """The minutes to fetch: of several books, one of which is for validation; of one book, its last sections are. All
    are for training where `rules.validation` is 0."""
    books = sorted(reader.books, key=lambda book: _drawn(rules.seed, reader.id, book.id))
    wanted = 60.0 * rules.minutes
    chosen: list[Book] = []
    for book in books:
        if len(chosen) >= MAX_BOOKS and sum(map(_seconds, chosen)) >= wanted:
            break
        chosen.append(book)
    if len(chosen) == 1:
        taken = _cut(chosen[0], wanted, "train")
        held = (
            sum(1 for start in _starts(taken) if start >= (1.0 - rules.validation) * wanted) if rules.validation else 0
        )
        held = min(len(taken) - 1, max(held, 1)) if rules.validation and len(taken) > 1 else 0
        return tuple(
            Piece(
                piece.book,
                piece.section,
                piece.start,
                piece.end,
                "validation" if index >= len(taken) - held else "train",
            )
            for index, piece in enumerate(taken)
        )
    held = rules.validation * wanted
    held_book = min(chosen, key=lambda book: (_seconds(book) < held, chosen.index(book))) if held else None
    others = [book for book in chosen if book is not held_book]
    left = wanted - (min(held, _seconds(held_book)) if held_book else 0.0)
    found: list[Piece] = []
    for index, book in enumerate(sorted(others, key=_seconds)):  # what a short book lacks, the longer ones give
        part = _cut(book, left / (len(others) - index), "train")
        left -= sum(piece.end - piece.start for piece in part)
        found += part
    rest = wanted - sum(piece.end - piece.start for piece in found)
    return (*found, *(_cut(held_book, rest, "validation") if held_book else ()))


def _seconds(book: Book) -> float:
    return sum(usable_seconds(section) for section in book.usable)


def _starts(pieces: list[Piece]) -> list[float]:
    """How many seconds come before each piece."""
    lengths = [piece.end - piece.start for piece in pieces]
    return [sum(lengths[:index]) for index in range(len(lengths))]


def _cut(book: Book, seconds: float, split: str) -> list[Piece]:
    """The first `seconds` of a book, section by section, without introductions."""
    pieces, left = [], seconds
    for section in book.usable:
        start = introduction(section)
        length = min(usable_seconds(section), left)
        if length >= MIN_PIECE_SECONDS:
            pieces.append(Piece(book, section, start, start + length, split))
            left -= length
    return pieces
