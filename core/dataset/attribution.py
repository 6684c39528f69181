"""ATTRIBUTION.md: every reader and book a dataset was made of."""

from __future__ import annotations

from core.dataset.librivox import LICENCE
from core.dataset.selection import Reader, Rules, pieces_of

_TOP = """# Attribution

The recordings are from [LibriVox](https://librivox.org), read by volunteers and given to the public domain, and were
fetched from [archive.org](https://archive.org). {count} readers; licence: {licence}.

"""


def attribution(readers: list[Reader], rules: Rules) -> str:
    """Readers by name, each with the books that minutes were taken of."""
    lines = []
    for reader in sorted(readers, key=lambda one: (one.name.casefold(), int(one.id))):
        lines.append(f"- **{_plain(reader.name)}** (reader {reader.id}, {_plain(reader.language)})")
        used = {piece.book.id: piece.book for piece in pieces_of(reader, rules)}
        for book in used.values():
            by = f", by {_plain(book.author)}" if book.author else ""
            where = f"<{book.page}>" if book.page.startswith(("https://", "http://")) and " " not in book.page else ""
            lines.append(f"  - {_plain(book.title)}{by} {where}".rstrip())
    return _TOP.format(count=len(readers), licence=LICENCE) + "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>()#!|~&" else character for character in text)
