"""What somebody has recorded to be enrolled with, and how good it is so far."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from core.audio import Audio, concatenate, stream
from core.errors import Cancelled, EnrolmentRefused
from core.recognizer import ENROL_SECONDS, MAX_ENROL_SECONDS
from core.segments import Quality, quality, speech_segments
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

    def record(self, device: str | None) -> Iterator[list[Quality]]:
        """Record from this computer until 30 s of speech, `stop` or two minutes; yields the qualities so far."""
        self._stop, self.sound = threading.Event(), None
        parts: list[Audio] = []
        yield []
        with Microphone(device) as microphone:
            try:
                for block in microphone.blocks(BLOCK_SECONDS, cancelled=self._stop.is_set):
                    parts.append(block)
                    self.sound = concatenate(parts)
                    found = qualities([self.sound])
                    yield found
                    enough = sum(one.speech for one in found) >= ENROL_SECONDS + 2.0
                    if enough or self.sound.duration >= MAX_RECORD_SECONDS:
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


def qualities(blocks: Iterable[Audio]) -> list[Quality]:
    """Quality of each 5 s of speech in `blocks` (two minutes of speech at most); the last one may be shorter."""
    found, total = [], 0.0
    for span, piece in speech_segments(blocks):
        found.append(quality(piece))
        total += span.duration
        if total >= MAX_ENROL_SECONDS:
            break
    return found


def of_file(path: str | None) -> Iterator[Audio]:
    """The sound of a file; `EnrolmentRefused` where there is none."""
    if not path:
        raise EnrolmentRefused(texts.NO_SOUND)
    return stream(path)
