"""Damaged databases beside the one in use; the name of each tells whether people were saved from it yet.

It ends in `-unsaved` until the database in use holds whom the damaged one gave back: a program that is killed in
between leaves that name, and the next start goes on.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import StoreError

UNSAVED = "-unsaved"
MOVING_SECONDS = 0.5  # s after which a program that moves a database aside was killed meanwhile
LOGS = ("-wal", "-shm")  # SQLite's, which belong to a database of the same name


@contextmanager
def alone(folder: Path, *, patience: float) -> Iterator[None]:
    """While no other program moves databases of this folder: two that did could write over what the other saved. Raises
    `StoreError` after `patience` seconds. On Windows an open file cannot be moved, which keeps them apart."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    deadline = time.monotonic() + patience
    handle = os.open(folder, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"another program is saving people from a damaged database in {folder}: wait until it is done"
                    ) from error
                time.sleep(0.02)
            except OSError:  # a file system without locks
                break
        yield
    finally:
        os.close(handle)


def moved_aside(path: Path) -> Path:
    """Move a damaged database out of the way, its logs with it; where it is now. Raises `StoreError`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    own = secrets.token_hex(3)  # programs that find the damage in the same second write over no file of each other
    aside = path.with_name(f"{path.name}.corrupt-{stamp}-{own}{UNSAVED}")
    try:
        logs = _identities(path)
        path.rename(aside)
        _move_logs(path, aside, logs)
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
        deadline = time.monotonic() + MOVING_SECONDS
        while not path.exists() and (moved := unsaved(path)) and (logs := _identities(path)):
            if time.monotonic() > deadline:  # that program does not run any more
                _move_logs(path, moved[-1], logs)
                return
            time.sleep(MOVING_SECONDS / 20)


def name_when_saved(aside: Path) -> str:
    """What the file is called as soon as people were saved from it."""
    return aside.name.removesuffix(UNSAVED)


def call_saved(aside: Path) -> None:
    """Give the file that name; where that cannot be the next start tries again."""
    target = aside.with_name(name_when_saved(aside))
    with suppress(OSError):  # also where another program was faster
        _move_logs(aside, target)
        aside.rename(target)


def _identities(path: Path) -> dict[str, tuple[int, int]]:
    """Of the logs of a database that are there."""
    found = {}
    for tail in LOGS:
        with suppress(FileNotFoundError):
            state = path.with_name(path.name + tail).stat()
            found[tail] = state.st_dev, state.st_ino
    return found


def _move_logs(old: Path, new: Path, logs: dict[str, tuple[int, int]] | None = None) -> None:
    """Move what belongs to a database after it: only those `logs`, as another program may have begun a new database at
    the old place by now, and with a log of another database the damaged one would be written over."""
    for tail in LOGS:
        if logs is None or (tail in logs and _identities(old).get(tail) == logs[tail]):
            with suppress(FileNotFoundError):
                old.with_name(old.name + tail).rename(new.with_name(new.name + tail))
