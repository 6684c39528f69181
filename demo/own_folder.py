"""The folder for what browsers send and fetch: ours alone, wiped when the app ends, or by the next one that starts.

An app that was killed, or whose computer lost its power, leaves its folder behind. A lock tells it from that of an app
that runs: the system lets go of it with the process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.environment import environment

PREFIX = "who-is-speaking-"
LOCK = ".in-use"
YOUNG_SECONDS = 60.0  # s: one that is just being made has no lock yet


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder, in which Gradio keeps its files meanwhile; wiped at the end, however it ends."""
    from filelock import FileLock

    wipe_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(folder / LOCK)
    lock.acquire(blocking=False)
    try:
        with environment(GRADIO_TEMP_DIR=str(folder)):
            yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def wipe_left_behind(*, older_than: float = YOUNG_SECONDS) -> int:
    """Delete the folders of this user whose app runs no more, unless younger than that (s); how many."""
    from filelock import FileLock, Timeout

    gone = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            facts = folder.lstat()  # a link of somebody else's making is not followed
            mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
            young = time.time() - facts.st_mtime < older_than
            if folder.is_symlink() or not (folder / LOCK).is_file() or not mine or young:
                continue
            with FileLock(folder / LOCK, blocking=False):
                pass
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
        except (Timeout, OSError):
            continue  # it runs
    return gone
