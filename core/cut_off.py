"""Is a recording all there? What its file says of its length, beside what was decoded.

A copy that was interrupted, a full disk or a lost connection leave the beginning of a file. What there is is used, as
every player does; but whoever relies on it must be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import soundfile
    from av.audio.stream import AudioStream

MISSING_SECONDS = 1.0  # s less than stated that count as cut off, and ...
MISSING_FRACTION = 0.02  # ... of the length: headers round, and estimate
UNKNOWN_SIZE = 2_000_000_000  # bytes: writers into a pipe state 2 or 4 GB, for they do not know
OGG_TAIL = 70_000  # bytes: the longest page has 65,307
OGG_HEADER = 27  # bytes of a page before its table of lengths
OGG_LAST = 4  # flag of the last page
_SIZE = re.compile(r"^\s*(?:RIFF|RF64|FORM|riff|data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)


@dataclass(frozen=True)
class CutOff:
    """A recording that breaks off: `found` seconds came, it says it has `stated` (None: it does not say)."""

    found: float
    stated: float | None = None


@dataclass
class Ending:
    """What is known of a file's end while it is decoded. `stated`: its own length in s. `reached`: s at which its last
    sound ends by its time stamps. `broken`: it broke off."""

    stated: float | None = None
    reached: float = 0.0
    broken: bool = False

    def cut_off(self, found: float) -> CutOff | None:
        """None where `found` seconds are all there is."""
        stated, end = self.stated if self.stated is not None and self.stated > found else None, max(found, self.reached)
        if self.broken or (stated is not None and stated - end > max(MISSING_SECONDS, MISSING_FRACTION * stated)):
            return CutOff(found, stated)
        return None


def stated_by_file(file: soundfile.SoundFile) -> float | None:
    """Seconds that a file of libsndfile's says it has; None where it does not."""
    if file.format == "OGG" or file.samplerate <= 0 or not 0 < file.frames < 2**62:
        return None
    seconds = file.frames / file.samplerate
    for stated, actual in ((int(a), int(b)) for a, b in _SIZE.findall(file.extra_info)):
        if 0 < actual < stated < UNKNOWN_SIZE:
            return seconds * stated / actual
    return seconds


def stated_by_container(kind: str, track: AudioStream) -> float | None:
    """Seconds that a container of FFmpeg's says its sound track has; None for those that only estimate. `kind`: the
    container's format."""
    if "mp4" in kind and track.duration and track.time_base:
        return float(track.duration * track.time_base)
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", track.metadata.get("DURATION", ""))
    if "matroska" in kind and clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    return None


def is_whole(file: soundfile.SoundFile, handle: BinaryIO) -> bool:
    """Does an Ogg file end with a page that is marked as its last, and is that page all there? True for what is no Ogg:
    that says its length. The place in `handle` is kept."""
    if file.format != "OGG":
        return True
    place = handle.tell()
    handle.seek(max(0, handle.seek(0, 2) - OGG_TAIL))
    tail = handle.read(OGG_TAIL)
    handle.seek(place)
    at = tail.rfind(b"OggS")
    page = tail[at:] if at >= 0 else b""
    if len(page) < OGG_HEADER or len(page) < OGG_HEADER + page[26]:
        return False
    lengths = page[OGG_HEADER : OGG_HEADER + page[26]]
    return bool(page[5] & OGG_LAST) and len(page) >= OGG_HEADER + len(lengths) + sum(lengths)
