"""Results as text for a terminal: answers in columns, talk time, the people enrolled, devices."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from core.heads import ANSWERS, NOT_ENOUGH_SPEECH, UNKNOWN
from core.names import printable
from core.segments import clock
from core.sources.microphone import Device
from core.speakers import Profile
from core.timeline import Answer, Timeline
from demo.local_time import day

LABELS = {"cnn": "CNN", "ann": "ANN", "both": "both"}
MAX_COLUMN = 48  # characters: longer answers push the next column


class AnswerLines:
    """Answers as lines whose columns stand under each other; `names`: everybody who can be named."""

    def __init__(self, names: Iterable[str]):
        longest = sorted((width(name) for name in (*names, UNKNOWN)), reverse=True)[:2]
        self._column = min(MAX_COLUMN, sum(longest) + len(" 0.00 (next:  0.00)"))

    def __call__(self, answer: Answer) -> str:
        if answer.both.name == NOT_ENOUGH_SPEECH:
            return str(answer)
        columns = [f"{LABELS[one]}  {padded(str(answer.of(one)), self._column)}" for one in ANSWERS]
        return f"{answer.segment}  {'   '.join(columns)}".rstrip()


def talk_time(timeline: Timeline) -> list[str]:
    """Who spoke how long, by both models together; a blank line first."""
    total = timeline.talk_time()
    if not total:
        return ["", "no speech was found" if timeline.answers else "nothing was heard"]
    spoken = sum(total.values())
    rows = [(name, clock(seconds), f"{seconds / spoken:4.0%}") for name, seconds in total.items()]
    return ["", "talk time", *table(rows)]


def people(profiles: Sequence[Profile], outdated: Iterable[str]) -> list[str]:
    """The people enrolled, one a line under a heading."""
    old = set(outdated)
    rows = [("name", "enrolled", "sessions", "segments")]
    for one in profiles:
        remark = "other weights: enrol again" if one.name in old else ""
        rows.append((one.name, day(one.created_at), str(one.sessions), str(one.segments), remark))
    return table(rows)


def inputs(devices: Iterable[Device]) -> list[str]:
    """Input devices with the number and name that --device takes."""
    rows = [("device", "name", "rate", "channels")]
    for one in devices:
        remark = "default" if one.default else ""
        rows.append((str(one.index), one.name, f"{one.rate} Hz", str(one.channels), remark))
    return table(rows)


def asked_at_a_terminal() -> bool:
    """Is there somebody who can answer? On Windows the file NUL counts as a terminal too, in which nobody types."""
    if not sys.stdin or not sys.stdin.isatty():
        return False
    if os.name != "nt":
        return True
    import ctypes
    import msvcrt

    handle, mode = ctypes.c_void_p(msvcrt.get_osfhandle(sys.stdin.fileno())), ctypes.c_uint32()
    return bool(ctypes.WinDLL("kernel32").GetConsoleMode(handle, ctypes.byref(mode)))


def note(text: str) -> None:
    """What is odd, on standard error, beside the result."""
    print(f"note: {printable(text)}", file=sys.stderr)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two blanks apart."""
    rows, columns = [[printable(cell) for cell in row] for row in rows], max(len(row) for row in rows)
    widths = [max(width(row[index]) for row in rows if index < len(row)) for index in range(columns)]
    return ["  ".join(padded(cell, widths[i]) for i, cell in enumerate(row)).rstrip() for row in rows]


def width(text: str) -> int:
    """Columns it takes in a terminal: wide letters and emoji two, combining marks and joiners none."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, columns: int) -> str:
    """`text` with blanks up to `columns`."""
    return text + " " * max(0, columns - width(text))
