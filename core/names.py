"""Names of people: any script and emoji; nothing that hides, breaks a line, a path, a page or a spreadsheet."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from core.errors import InvalidName

MAX_NAME = 60  # characters
MAX_TEXT = 2000  # characters of other words that are kept: where a session came from, what was odd about it
NAMES_SHOWN = 6  # names listed in a message
RESERVED = ("Unknown", "not enough speech", "noise")  # what the program itself answers
FORBIDDEN = "/\\<>"  # paths and HTML
CONTROLS = ("Cc", "Zl", "Zp")  # categories: control characters, ends of lines and paragraphs
FORMULA = "=+-@"  # first characters that make a spreadsheet calculate
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # embeddings, overrides, isolates
VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # variation selectors: text or emoji style
JOINERS = frozenset("\u200c\u200d")  # within words of Persian or Hindi, and between emoji of one picture
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that show nothing


def clean_name(name: str) -> str:
    """The name as it is kept: NFC, inner blanks collapsed, ends stripped. Raises `InvalidName`, which says why."""
    if not isinstance(name, str):
        raise InvalidName(f"a name must be text, got {type(name).__name__}")
    for character in name:
        category = unicodedata.category(character)
        if category in CONTROLS or category == "Cs":
            raise InvalidName(
                f"the name holds a line break or control character (U+{ord(character):04X}): leave it out"
            )
        if character in BIDI:
            raise InvalidName(f"the name holds a direction mark (U+{ord(character):04X}): leave it out")
        if character in FORBIDDEN:
            raise InvalidName(f"the name holds {character} , which is not allowed: leave out {' '.join(FORBIDDEN)}")
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise InvalidName("the name is empty: type one")
    if len(cleaned) > MAX_NAME:
        raise InvalidName(f"the name has {len(cleaned)} characters: use at most {MAX_NAME}")
    if not any(unicodedata.category(c)[0] in "LNPS" and c not in BLANK_LETTERS for c in cleaned):
        raise InvalidName("the name shows nothing on the screen: type letters")
    if unicodedata.normalize("NFKC", cleaned)[0] in FORMULA:  # also full-width signs, which some spreadsheets know
        raise InvalidName(
            f"the name begins with {cleaned[0]!r}, which spreadsheets take for a formula: begin with a letter"
        )
    if name_key(cleaned) in {name_key(word) for word in RESERVED}:
        raise InvalidName(f"{cleaned!r} is an answer of this program, so nobody can have that name: choose another")
    return cleaned


def name_key(name: str) -> str:
    """What two names share that are one name to a reader: casefold of NFKC, without invisible characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cs") and c not in VARIATIONS)
    return " ".join(visible.split())


def one_line(words: str) -> str:
    """Words as they are kept and exported: valid text (file names may be none) on one line of at most `MAX_TEXT`."""
    return printable(words[:MAX_TEXT]).encode(errors="replace").decode()


def printable(words: str) -> str:
    """Without what moves a terminal's cursor, begins another line or turns the direction of reading."""
    return "".join(" " if unicodedata.category(c) in CONTROLS or c in BIDI else c for c in words)


def listed(names: Sequence[str]) -> str:
    """Names for a message: "Amina, Jo", or the first `NAMES_SHOWN` "and 3 more"."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def shortened(name: str) -> str:
    """A name in quotation marks for a message, on one line and not longer than a name may be."""
    shown = "".join(one if one in JOINERS else repr(one)[1:-1] for one in name)
    return f'"{shown}"' if len(shown) <= MAX_NAME else f'"{shown[:MAX_NAME]}..."'
