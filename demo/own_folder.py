"""The folder for what browsers send and fetch: ours alone, wiped when the app ends, or by the next one that starts.

An app that was killed, or whose computer lost its power, leaves its folder behind. A lock tells it from that of an app
that runs: the system lets go of it with the process.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from demo.environment import environment

PREFIX = "who-is-speaking-"
LOCK = ".in-use"
TOUCH_SECONDS = 3600.0  # s
LONGEST_PATH = 259 if os.name == "nt" else None  # characters that Windows opens, where nobody has set it otherwise
SHORTEST_NAME = 20  # bytes
PATIENCE_SECONDS = 3.0  # s to wait at the end for files that are open
YOUNG_SECONDS = 60.0  # s: one that is just being made has no lock yet

_locks: dict = {}  # by folder, of this process
_keeping = threading.Lock()


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder, in which Gradio keeps its files meanwhile; wiped at the end, however it ends."""
    from filelock import FileLock

    wipe_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = _locks[folder] = FileLock(folder / LOCK, thread_local=False)
    lock.acquire(blocking=False)
    try:
        with environment(GRADIO_TEMP_DIR=str(folder)):
            yield folder
    finally:
        del _locks[folder]
        lock.release()
        wipe(folder)


def fit_names(folder: Path, *, longest: int | None = LONGEST_PATH) -> None:
    """Gradio keeps what is sent under its own name, of up to 200 bytes, in a folder of 64 digits in ours: names get
    what `longest` (None: no limit) leaves of a path, and keep their endings."""
    from gradio_client import utils

    if longest is not None:
        room = min(longest - len(str(folder)) - len(f"/{'0' * 64}/"), 200)
        utils.strip_invalid_filename_characters.__defaults__ = (max(room, SHORTEST_NAME),)  # its `max_bytes`


def wipe(folder: Path, *, patience: float = PATIENCE_SECONDS) -> None:
    """Delete a folder of ours. Windows deletes no file that is open: what nobody needs is closed, and a thread that is
    told to stop is waited for."""
    deadline = time.monotonic() + patience
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path) -> None:
    """The system deletes what lies in its temporary folder untouched for days: touch the folder and its lock now and
    then, and make them anew where they are gone all the same."""
    with _keeping, suppress(OSError):  # whoever writes there meets it again
        lock = _locks.get(folder)
        if not folder.is_dir() or (lock and not (folder / LOCK).exists()):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if lock:
                lock.release(force=True)
                lock.acquire(blocking=False)
        for path in (folder, folder / LOCK):
            with suppress(FileNotFoundError):
                if abs(time.time() - path.stat().st_mtime) >= TOUCH_SECONDS:
                    os.utime(path)


def wipe_left_behind(*, older_than: float = YOUNG_SECONDS) -> int:
    """Delete the folders of this user whose app runs no more, unless younger than that (s); how many."""
    from filelock import FileLock, Timeout

    gone = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            facts, lock = folder.lstat(), folder / LOCK  # a link of somebody else's making is not followed
            mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
            young = lock.is_file() and time.time() - lock.stat().st_mtime < older_than
            if folder.is_symlink() or not lock.is_file() or not mine or young:
                continue
            with FileLock(lock, blocking=False):
                pass
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
        except (Timeout, OSError):
            continue  # it runs
    return gone
