"""What somebody has recorded to be enrolled with, and how good it is so far."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from core.audio import SEGMENT_SECONDS, Audio, concatenate, stream
from core.enrolment import ENROL_SECONDS, MAX_ENROL_SECONDS
from core.errors import Cancelled, EnrolmentRefused
from core.segments import Quality, condense_long, quality
from core.sources import youtube
from core.sources.microphone import Microphone
from demo import texts

BLOCK_SECONDS = 1.0  # s recorded between two looks
MAX_RECORD_SECONDS = 120.0  # s after which recording ends by itself


class Take:
    """One per session; a copy is always a fresh one. Holds what this computer's microphone recorded."""

    def __init__(self):
        self.sound: Audio | None = None
        self._stop = threading.Event()

    def __deepcopy__(self, _memo) -> Take:
        return Take()

    def stop(self) -> None:
        """End the recording or the download that is going on."""
        self._stop.set()

    def leave(self) -> None:
        """The page is gone: nothing of the voice stays."""
        self.stop()
        self.sound = None

    def record(self, device: str | None) -> Iterator[tuple[float, list[Quality]]]:
        """Record from this computer until 30 s of speech, `stop` or two minutes; yields what there is so far."""
        self._stop, self.sound = threading.Event(), None
        parts: list[Audio] = []
        yield 0.0, []
        with Microphone(device) as microphone:
            try:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=self._stop.is_set):
                    parts.append(block)
                    self.sound = concatenate(parts)
                    speech, found = speech_in([self.sound])
                    yield speech, found
                    if speech >= ENROL_SECONDS or self.sound.duration >= MAX_RECORD_SECONDS:
                        return
            except Cancelled:
                return  # stopped: what was recorded is used

    def fetched(self, link: str, told: list[float]) -> Iterator[Audio]:
        """The sound behind a link; the download is deleted at the end. `told[0]` follows the fraction fetched."""
        self._stop = threading.Event()

        def follow(fraction: float) -> None:
            told[0] = fraction

        with youtube.fetch(youtube.parse_link(link), progress=follow, cancelled=self._stop.is_set) as download:
            yield from download.blocks()


def speech_in(blocks: Iterable[Audio]) -> tuple[float, list[Quality]]:
    """Seconds of speech in `blocks` as an enrolment counts them (two minutes at most), and the quality of each whole
    segment of it; segments with too little speech are left out."""
    parts, total = [], 0.0
    for part in condense_long(blocks):
        parts.append(part)
        total += part.duration
        if total >= MAX_ENROL_SECONDS:
            break
    speech = concatenate(parts)
    whole = int(speech.duration / SEGMENT_SECONDS)
    pieces = (speech.between(index * SEGMENT_SECONDS, (index + 1) * SEGMENT_SECONDS) for index in range(whole))
    found = [judged for judged in map(quality, pieces) if judged.enough]
    return speech.duration - SEGMENT_SECONDS * (whole - len(found)), found


def of_file(path: str | None) -> Iterator[Audio]:
    """The sound of a file; `EnrolmentRefused` where there is none."""
    if not path:
        raise EnrolmentRefused(texts.NO_SOUND)
    return stream(path)
