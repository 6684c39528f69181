"""What libsndfile does not read (M4A, WebM, films) FFmpeg does, in a process of its own, with limits.

A header that lies can make a decoder ask for gigabytes, a damaged file can crash it or keep it busy for ever: that
costs the file, not the app. The other end is `core.ffmpeg_worker`; what comes from there is looked at before it is
believed.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.audio import SAMPLE_RATE, too_much_work, work_allowed
from core.cut_off import Ending
from core.errors import DecodeError
from core.ffmpeg_worker import END, HEAD, MAX_MESSAGE, OVERWORKED, SOUND, WORD

START = "import sys; sys.path[:] = sys.argv[2:]; from core.ffmpeg_worker import work; sys.exit(work(sys.argv[1]))"
TOO_MUCH_WORK = (OVERWORKED, -getattr(signal, "SIGXCPU", -OVERWORKED))  # exit codes; Windows knows no such signal


def pieces(handle: BinaryIO, name: str, ending: Ending) -> Iterator[np.ndarray]:
    """16 kHz mono float32 pieces of a file of any format that FFmpeg knows; `ending` is filled.

    Raises `DecodeError` when there is no sound in it, when it breaks off before any came, and when it asks for more
    memory or work than any real recording.
    """
    seconds = 0.0
    with _worker("sound", handle) as worker:
        for kind, content in _messages(worker):
            if kind == SOUND:
                seconds += len(content) / 4 / SAMPLE_RATE
                yield np.frombuffer(content, np.float32)
            elif kind == END:
                return
            else:
                take(json.loads(content), name, ending)
        code = worker.wait()
    if code in TOO_MUCH_WORK:
        raise DecodeError(too_much_work(name, work_allowed(seconds), seconds))
    if not seconds:
        raise DecodeError(
            f"{name} made its decoder fail (exit code {code}): it is damaged or meant to do harm; save it anew as WAV"
        )
    ending.broken = True  # what was there is used, as every player does


def take(word: dict, name: str, ending: Ending) -> None:
    """Act on what the worker says of a file called `name`: into `ending`, or raise `DecodeError`."""
    if "refused" in word:
        raise DecodeError(str(word["refused"]).replace("{name}", name))
    ending.stated = ending.stated or word.get("stated")
    ending.reached = max(ending.reached, float(word.get("reached", 0.0)))
    ending.broken = ending.broken or bool(word.get("broken"))


def duration(path: str | os.PathLike) -> float | None:
    """Length in seconds of the sound in a file as its container states it; None where it does not say."""
    with Path(path).open("rb") as file, _worker("duration", file) as worker:
        for kind, content in _messages(worker):
            if kind == WORD:
                return json.loads(content).get("duration")
    return None


@contextmanager
def _worker(task: str, handle: BinaryIO) -> Iterator[subprocess.Popen]:
    """A process that reads `handle` from its beginning; it ends with the block, finished or not."""
    with _real_file(handle) as file:
        worker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", START, task, *sys.path],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        try:
            yield worker
        finally:
            worker.kill()
            worker.stdout.close()
            worker.wait()


@contextmanager
def _real_file(handle: BinaryIO) -> Iterator[BinaryIO]:
    """`handle` itself where another process can read it, else a copy without a name, which is gone with the block."""
    handle.seek(0)
    try:
        handle.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(handle, copy)
            copy.seek(0)
            yield copy
    else:
        os.lseek(handle.fileno(), 0, os.SEEK_SET)  # beneath Python's own buffer
        yield handle


def _messages(worker: subprocess.Popen) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each message that is as it should be, until there are no more."""
    while len(head := worker.stdout.read(HEAD.size)) == HEAD.size:
        kind, size = HEAD.unpack(head)
        content = worker.stdout.read(min(size, MAX_MESSAGE))
        if kind not in (SOUND, WORD, END) or len(content) < size or (kind == SOUND and size % 4):
            return
        yield kind, content
