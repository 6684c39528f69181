"""The process in which FFmpeg works: reads a file from its standard input, and gives sound or a word about it.

Its output is a row of messages: a kind, the length of what follows, and that. `SOUND`: float32 samples, 16 kHz mono;
`WORD`: a JSON object with `stated`, `reached`, `broken`, `refused` or `duration`; `END`: all of it has been said.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np

from core.audio import MAX_SECONDS, SAMPLE_RATE, to_mono, too_much_work, work_allowed
from core.cut_off import stated_by_container
from core.errors import reason

SOUND, WORD, END = b"S", b"W", b"E"
HEAD = struct.Struct("<cI")  # kind, bytes that follow
MAX_MESSAGE = 1 << 20  # bytes
PIECE = SAMPLE_RATE  # samples: sound is sent a second at a time
MEMORY = 512 << 20  # bytes that a file may make FFmpeg take, beside the program itself
OVERWORKED = 97  # exit code of a process that worked too long where the system ends none for that (Windows)
LOOK_SECONDS = 0.25  # s between looks at that
HOLE_SECONDS = 0.2  # s that time stamps must leave out to count as a hole; they round, and clocks differ
OPTIONS = {"protocol_whitelist": "none"}  # a file opens no other file, and nothing in the network

Message = np.ndarray | dict[str, float | bool | str]


def decoded(handle: BinaryIO) -> Iterator[Message]:
    """Sound of a file, and words about it; `{name}` in a refusal stands for the file's name."""
    import av

    try:
        container = av.open(handle, mode="r", metadata_errors="ignore", options=OPTIONS)
    except (av.FFmpegError, ValueError) as error:
        yield {
            "refused": f"{{name}} is not audio that can be read ({reason(error)}): use WAV, FLAC, OGG, Opus, MP3, M4A "
            "or WebM"
        }
        return
    with container:
        if not container.streams.audio:
            yield {"refused": "{name} has no sound track"}
            return
        yielded = False
        damage: list[Exception] = []  # since the last sound
        reached = [0.0]
        yield {"stated": stated_by_container(container.format.name, container.streams.audio[0])}
        try:
            for samples in _resampled(_in_time(_frames(container, damage), *_believed(container), reached)):
                yielded = True
                yield samples
        except (av.FFmpegError, ValueError, IndexError) as error:  # IndexError: a stream that began later
            damage.append(error)
        yield {"reached": reached[0]}
        if damage and yielded:
            yield {"broken": True}
        elif damage:
            yield {"refused": f"{{name}} breaks off before any sound ({reason(damage[0])})"}


def _frames(container, damage: list[Exception]) -> Iterator:
    """Decoded frames of the first sound track. A damaged packet is passed over, as every player does; what is wrong
    with those that no sound came after is in `damage`."""
    import av

    for packet in container.demux(container.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            damage.append(error)
            continue
        if frames:
            damage.clear()
        yield from frames


def _in_time(frames: Iterator, begin: float, end: float, reached: list[float]) -> Iterator:
    """`frames`, and in a hole that their time stamps leave, as a player has it, silence: float32 pieces of a second,
    16 kHz. `begin`: the stamp in s at which time begins. Stamps that lead backwards, or more than `end` seconds from
    there, are broken and count as none. `reached[0]`: s at which the last frame ends by its stamp."""
    given = 0.0  # s
    for frame in frames:
        length = frame.samples / max(1, frame.sample_rate)  # s
        at = reached[0] if frame.pts is None or not frame.time_base else float(frame.pts * frame.time_base) - begin
        if HOLE_SECONDS < min(at - reached[0], at - given) and at <= end:
            missing, given = round((at - given) * SAMPLE_RATE), at
            for start in range(0, missing, PIECE):
                yield np.zeros(min(PIECE, missing - start), np.float32)
        reached[0], given = at + length, given + length
        yield frame


def _believed(container) -> tuple[float, float]:
    """The time stamp in s at which time begins, and up to how many s from there they are believed: the length that the
    container states, which Matroska counts from stamp 0 and MP4 from the first; 0 for what only estimates."""
    import av

    kind, length = container.format.name, (container.duration or 0) / av.time_base
    end = min(MAX_SECONDS, max(length, stated_by_container(kind, container.streams.audio[0]) or 0.0))
    if "matroska" in kind:
        return 0.0, end
    return (max(0, container.start_time or 0) / av.time_base, end) if "mp4" in kind else (0.0, 0.0)


def _resampled(frames: Iterator) -> Iterator[np.ndarray]:
    """16 kHz mono; the number of channels and the rate may change on the way, as on television. What is 16 kHz already
    passes."""
    import av

    resampler, kind = None, None
    for frame in frames:
        now = None if isinstance(frame, np.ndarray) else (frame.format.name, frame.layout.name, frame.sample_rate)
        if now is None or now != kind:
            yield from _flushed(resampler)
            resampler, kind = None, now
        if now is None:
            yield frame
            continue
        resampler = resampler or av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        frame.pts = None  # broken time stamps must not insert silence
        for out in resampler.resample(frame):
            yield to_mono(out.to_ndarray().reshape(-1))
    yield from _flushed(resampler)


def _flushed(resampler) -> Iterator[np.ndarray]:
    for out in [] if resampler is None else resampler.resample(None):
        yield to_mono(out.to_ndarray().reshape(-1))


def stated_duration(handle: BinaryIO) -> float | None:
    """Seconds that a file with sound says it has."""
    import av

    try:
        with av.open(handle, metadata_errors="ignore", options=OPTIONS) as container:
            if container.duration and container.streams.audio:
                return container.duration / av.time_base
    except (av.FFmpegError, OSError, ValueError):
        pass  # no sound in it: decoding tells why
    return None


def work(task: str) -> int:
    """The life of the process. `task`: `sound` or `duration`."""
    import av  # noqa: F401  (loaded before memory is limited)

    source = os.fdopen(0, "rb", closefd=False)
    target = os.fdopen(os.dup(1), "wb")
    _limit_memory()
    _limit_work(work_allowed(0.0))
    seconds = 0.0
    try:
        for message in [{"duration": stated_duration(source)}] if task == "duration" else _joined(decoded(source)):
            _send(target, message)
            if isinstance(message, np.ndarray):
                seconds += len(message) / PIECE
                if (worked := time.process_time()) > work_allowed(seconds):
                    _send(target, {"refused": too_much_work("{name}", worked, seconds)})
                _limit_work(work_allowed(seconds))
        _send(target, None)
    except MemoryError:
        _send(target, {"refused": "{name} asks for more memory than any real recording: save it anew as WAV"})
    except BrokenPipeError:  # nobody listens any more
        return 1
    return 0


def _joined(messages: Iterator[Message]) -> Iterator[Message]:
    """Frames of a few milliseconds as pieces of a second."""
    waiting: list[np.ndarray] = []
    for message in messages:
        if isinstance(message, np.ndarray):
            waiting.append(message)
            if sum(map(len, waiting)) < PIECE:
                continue
            message, waiting = np.concatenate(waiting), []
        elif waiting:
            yield np.concatenate(waiting)
            waiting = []
        yield message
    if waiting:
        yield np.concatenate(waiting)


def _send(target: BinaryIO, message: Message | None) -> None:
    """`None`: the end."""
    if message is None:
        kind, content = END, b""
    elif isinstance(message, np.ndarray):
        kind, content = SOUND, message.astype("<f4").tobytes()
    else:
        kind, content = WORD, json.dumps(message).encode()
    for start in range(0, max(1, len(content)), MAX_MESSAGE):
        part = content[start : start + MAX_MESSAGE]
        target.write(HEAD.pack(kind, len(part)) + part)
    target.flush()


def _limit_memory() -> None:
    """From now on this process gets `MEMORY` more, where the system knows such a limit (Linux)."""
    if resource := _limits():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # macOS takes none
            most = _address_space() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_work(seconds: float) -> None:
    """This process ends once it has worked so long, even where FFmpeg never comes back."""
    if resource := _limits():
        most = resource.getrlimit(resource.RLIMIT_CPU)[1]  # what the system itself allows
        wanted = math.ceil(seconds) + 1
        wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_CPU, (wanted, most))
        return
    if not _allowed:
        threading.Thread(target=_watch, name="watch", daemon=True).start()
    _allowed[:] = [seconds]


_allowed: list[float] = []  # s of processor time, where this process looks at that itself


def _watch() -> None:
    """FFmpeg lets other threads work while it does."""
    while not _allowed or time.process_time() <= _allowed[0] + 1.0:
        time.sleep(LOOK_SECONDS)
    os._exit(OVERWORKED)


def _limits() -> ModuleType | None:
    """Python's module for the limits of a process; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource


def _address_space() -> int:
    """Bytes this process has; where that is not told, more than it can be."""
    pages = Path("/proc/self/statm")
    if sys.platform == "linux" and pages.exists():
        return int(pages.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 1 << 31
