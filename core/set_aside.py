"""Damaged databases beside the one in use; the name of each tells whether people were saved from it yet.

It ends in `-unsaved` until the database in use holds whom the damaged one gave back: a program that is killed in
between leaves that name, and the next start goes on.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from core.errors import StoreError

UNSAVED = "-unsaved"
LOGS = ("-wal", "-shm")  # SQLite's, which belong to a database of the same name


def moved_aside(path: Path) -> Path:
    """Move a damaged database out of the way, its logs with it; where it is now. Raises `StoreError`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}{UNSAVED}")
    while aside.exists() or aside.with_name(name_when_saved(aside)).exists():
        aside = aside.with_name(f"{name_when_saved(aside)}-more{UNSAVED}")
    try:
        path.rename(aside)
        _move_logs(path, aside)
    except OSError as error:
        raise StoreError(f"{path} is damaged and cannot be moved ({error.strerror}): move it away") from error
    return aside


def put_back(aside: Path, path: Path) -> None:
    """Undo `moved_aside`, where nobody could be saved; what was begun at `path` is given up."""
    with suppress(OSError):
        if aside.exists():  # else another program has saved them by now
            for tail in LOGS:
                path.with_name(path.name + tail).unlink(missing_ok=True)
            aside.replace(path)
            _move_logs(aside, path)


def unsaved(path: Path) -> list[Path]:
    """Damaged databases that were moved out of the way of this one and from which nobody is known to be saved, the
    oldest first."""
    return sorted(path.parent.glob(f"{path.name}.corrupt-*{UNSAVED}"))


def complete_move(path: Path) -> None:
    """Logs that a killed program left, having moved their database, follow it: SQLite would delete them."""
    with suppress(OSError, ValueError):  # of a name that no folder can have
        if not path.exists() and (moved := unsaved(path)):
            _move_logs(path, moved[-1])


def name_when_saved(aside: Path) -> str:
    """What the file is called as soon as people were saved from it."""
    return aside.name.removesuffix(UNSAVED)


def call_saved(aside: Path) -> None:
    """Give the file that name; where that cannot be the next start tries again."""
    target = aside.with_name(name_when_saved(aside))
    with suppress(OSError):  # also where another program was faster
        _move_logs(aside, target)
        aside.rename(target)


def _move_logs(old: Path, new: Path) -> None:
    for tail in LOGS:
        with suppress(FileNotFoundError):
            old.with_name(old.name + tail).rename(new.with_name(new.name + tail))
