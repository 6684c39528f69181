"""A file as a source: its blocks within a range of time, and how long it is."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

from core.audio import BLOCK_SECONDS, MAX_SECONDS, SAMPLE_RATE, Audio, Source, stream
from core.cut_off import CutOff
from core.errors import SourceError
from core.segments import clock

FOREVER = 1e9  # s: no recording is so long
Note = Callable[[str], None]  # hears what is odd about a source, in one sentence


def silently(note: str) -> None:
    """The `Note` of those who do not want to know."""


def blocks(
    source: Source,
    start: float | None = None,
    end: float | None = None,
    *,
    block_seconds: float = BLOCK_SECONDS,
    note: Note = silently,
) -> Iterator[Audio]:
    """16 kHz mono pieces of at most `block_seconds`, from `start` to `end` seconds (None: to the very end).

    Decoding stops at `end`; memory stays bounded. `note` hears of a file that breaks off before `end`. Raises
    `SourceError` for a range that is empty or lies behind the end of the sound, and what `core.audio.stream` raises.
    """
    check_range(start, end)
    first = round((start or 0.0) * SAMPLE_RATE)
    last = None if end is None else round(end * SAMPLE_RATE)
    position, given = 0, False
    most = MAX_SECONDS if end is None or end > MAX_SECONDS else math.inf  # nothing is read behind the end

    def cut_off(what: CutOff) -> None:
        note(cut_off_note(what))

    for block in stream(source, max_seconds=most, block_seconds=block_seconds, cut_off=cut_off):
        wanted = block.samples[max(0, first - position) : None if last is None else max(0, last - position)]
        position += len(block)
        if len(wanted):
            given = True
            yield Audio(wanted)
        if last is not None and position >= last:
            return
    if not given:
        check_range(start, end, position / SAMPLE_RATE)


def cut_off_note(what: CutOff) -> str:
    """What is told of a recording that breaks off."""
    of = "" if what.stated is None else f" of {clock(what.stated)}"
    return (
        f"the recording breaks off at {clock(what.found)}{of}: what came before that was used; get it anew for the rest"
    )


def check_range(start: float | None, end: float | None, duration: float | None = None) -> None:
    """Raise `SourceError` unless 0 <= start < end < `FOREVER`, with start before `duration`; all in seconds, None where
    unknown."""
    if start is not None and not 0 <= start < FOREVER:
        raise SourceError(f"a start of {start} s makes no sense: give seconds from 0 on")
    if end is not None and not end < FOREVER:
        raise SourceError(f"an end of {end} s makes no sense: give seconds, or none for the very end")
    if end is not None and not (start or 0.0) < end:
        raise SourceError(f"the range ends at {end:g} s but starts at {start or 0:g} s: give an end after the start")
    if duration is not None and start is not None and start >= duration:
        raise SourceError(f"the sound is {clock(duration)} long: a start of {clock(start)} lies behind it")


def duration(path: str | os.PathLike) -> float | None:
    """Length in seconds as the file itself states it, without decoding; None where it does not say."""
    import soundfile

    from core import ffmpeg

    try:
        info = soundfile.info(os.fspath(path))
        if 0 < info.frames < 2**62 and info.samplerate > 0:
            return info.frames / info.samplerate
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError):
        pass  # not one of libsndfile's formats, or a name that it does not take
    try:
        return ffmpeg.duration(path)
    except (OSError, ValueError):  # it is not there: decoding tells why
        return None
