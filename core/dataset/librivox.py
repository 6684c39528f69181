"""LibriVox's catalogue: its pages, kept once read, and the books in them.

Readers appear only inside books, section by section; values are strings, numbers or missing; the list ends with a 404
that holds JSON. Audio lies at archive.org. Names in the catalogue were typed by people and are never used as paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from core.dataset.fetch import Guest
from core.dataset.storage import Storage
from core.errors import FetchError

LIBRIVOX = "https://librivox.org"
ARCHIVE = "https://archive.org"
PAGE_BOOKS = 50  # books a page
LICENCE = "Public domain (LibriVox)"
_KEPT = ("id", "title", "language", "url_librivox", "authors", "sections")  # of a book, in the cache


@dataclass(frozen=True)
class Section:
    """A part of a book: one file. `place`: `<item>/<file>` at archive.org, "" when the catalogue gives none that is
    safe. `seconds`: as the catalogue says. `readers`: ids and names."""

    number: int
    place: str
    language: str
    seconds: float
    readers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Book:
    """A book; unfinished when it has no page of its own yet."""

    id: str
    title: str
    author: str
    language: str
    page: str
    sections: tuple[Section, ...]

    @property
    def finished(self) -> bool:
        """Is it published?"""
        return bool(self.page)

    @property
    def readers(self) -> dict[str, str]:
        """Who reads in it: id -> name."""
        return {reader: name for section in self.sections for reader, name in section.readers}

    @property
    def usable(self) -> tuple[Section, ...]:
        """Its sections that can be fetched."""
        return tuple(section for section in self.sections if section.place and section.seconds > 0)


def books(
    guest: Guest,
    storage: Storage,
    *,
    server: str = LIBRIVOX,
    most: int | None = None,
    refresh: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[Book]:
    """Every book of the catalogue, each once; pages come from `catalogue/` of the storage where they were read before.

    `most`: stop after so many rows. `told(line)` hears what is worth knowing.
    """
    if refresh:
        storage.remove("catalogue")
    seen: set[str] = set()
    offset, asked = 0, False
    while most is None or offset < most:
        rows = _kept_page(storage, offset, told)
        if rows is None:
            if not asked:
                told(f"asking {server} for its catalogue, from book {offset + 1} on ...")
                asked = True
            url = f"{server}/api/feed/audiobooks?format=json&extended=1&limit={PAGE_BOOKS}&offset={offset}"
            page = guest.page(url)
            rows = [] if page is None else page.get("books")
            if not isinstance(rows, list):
                raise FetchError(f"{url} holds no list of books: its format has changed, or it is not LibriVox")
            rows = [{name: row.get(name) for name in _KEPT} for row in rows if isinstance(row, dict)]
            storage.write(_page_name(offset), json.dumps({"books": rows}).encode())
            if rows:
                told(f"catalogue: {offset + len(rows)} books read")
        if not rows:
            return
        for row in rows:
            book = read_book(row)
            if book and book.id not in seen:
                seen.add(book.id)
                yield book
        offset += PAGE_BOOKS


def _page_name(offset: int) -> str:
    return f"catalogue/{PAGE_BOOKS}_{offset:06d}.json"


def _kept_page(storage: Storage, offset: int, told: Callable[[str], None]) -> list[dict] | None:
    name = _page_name(offset)
    if not storage.exists(name):
        return None
    try:
        rows = json.loads(storage.read(name))["books"]
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
    except (ValueError, KeyError, TypeError):
        pass
    told(f"{storage.path(name)} is damaged: it is fetched again")
    return None


def read_book(row: dict) -> Book | None:
    """A book from a row of the catalogue; None when it has no number."""
    number = _text(row.get("id"))
    if not number.isdigit():
        return None
    authors = row.get("authors") if isinstance(row.get("authors"), list) else []
    names = [
        f"{_text(one.get('first_name'))} {_text(one.get('last_name'))}".strip()
        for one in authors
        if isinstance(one, dict)
    ]
    sections = row.get("sections") if isinstance(row.get("sections"), list) else []
    language = _text(row.get("language"))
    return Book(
        id=number,
        title=_text(row.get("title")) or f"book {number}",
        author=", ".join(name for name in names if name),
        language=language,
        page=_text(row.get("url_librivox")),
        sections=tuple(_section(one, index, language) for index, one in enumerate(sections) if isinstance(one, dict)),
    )


def _section(row: dict, index: int, language: str) -> Section:
    readers = row.get("readers") if isinstance(row.get("readers"), list) else []
    return Section(
        number=int(_number(row.get("section_number"))) or index + 1,
        place=place_of(_text(row.get("listen_url"))),
        language=_text(row.get("language")) or language,
        seconds=_number(row.get("playtime")),
        readers=tuple(
            (_text(one.get("reader_id")), _text(one.get("display_name")))
            for one in readers
            if isinstance(one, dict) and _text(one.get("reader_id")).isdigit()
        ),
    )


def place_of(url: str) -> str:
    """`<item>/<file>.mp3` of a link into archive.org; "" for any other link, or one that climbs out of its folder."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    words = parts.path.split("/")
    if host != "archive.org" or words[:2] != ["", "download"] or len(words) < 4 or parts.query:
        return ""
    names = [unquote(word) for word in words[2:]]
    if any(name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name) for name in names):
        return ""
    return "/".join(words[2:]) if names[-1].lower().endswith(".mp3") else ""


def _text(value: object) -> str:
    """One line of text without control characters, whatever came."""
    if not isinstance(value, str | int | float):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def _number(value: object) -> float:
    """A number from a string or a number, also from h:mm:ss; 0.0 for anything else."""
    text = _text(value)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"\d+(:\d{1,2}){1,2}", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return float(total)
    return 0.0
